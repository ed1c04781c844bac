"""NVML as it is asked, with GPUs that do what a test says."""

from dataclasses import dataclass, field


class NVMLError(Exception):
    """What the library raises for anything that goes wrong."""


@dataclass
class FakeGpu:
    """`None`: this GPU has no such sensor."""

    millijoules: int | None = 0
    milliwatts: int | None = 0
    dead: bool = False


@dataclass
class FakeNvml:
    """GPUs by UUID."""

    gpus: dict[str, FakeGpu]
    num_samples: int = field(default=0, init=False)

    NVMLError = NVMLError

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> FakeGpu:
        if uuid not in self.gpus:
            raise NVMLError(uuid)
        return self.gpus[uuid]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: FakeGpu, /) -> int:
        return self._of(handle, handle.millijoules)

    def nvmlDeviceGetPowerUsage(self, handle: FakeGpu, /) -> int:
        self.num_samples += 1
        return self._of(handle, handle.milliwatts)

    def _of(self, handle: FakeGpu, value: int | None) -> int:
        if handle.dead or value is None:
            raise NVMLError("no such sensor, or no such GPU any more")
        return value
