"""Energy of NVIDIA GPUs through NVML: a counter of joules where GPUs have one, else samples of their power.

Source: NVML API reference, nvmlDeviceGetTotalEnergyConsumption (mJ since the driver was loaded, Volta and newer) and
nvmlDeviceGetPowerUsage (mW, averaged over a second from Ampere on, GA100 excepted). Both are of whole boards with
their memory. Processors and memory of the node are not in them, also where RAPL could be read: a figure has one method.

Untested on a real GPU: written from the reference, and tested with a fake of the library.
"""

import threading
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast

from glam.records import EnergyCovers, EnergyMethod, EnergyReading

SAMPLE_SECONDS = 0.1
POWER_ACCURACY = 0.05
"""Of a power reading, by the reference for Fermi and Kepler; it gives none for later GPUs."""


class Nvml(Protocol):
    """What is asked of `pynvml`."""

    @property
    def NVMLError(self) -> type[Exception]: ...

    def nvmlInit(self) -> object: ...
    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> Any: ...
    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, /) -> int: ...
    def nvmlDeviceGetPowerUsage(self, handle: Any, /) -> int: ...


MeterT = TypeVar("MeterT")


def load_library() -> Nvml | None:
    """NVML, initialised; None where there is no driver."""
    library = cast(Nvml, import_module("pynvml"))  # not for machines and processes that ask no GPU
    try:
        library.nvmlInit()
    except library.NVMLError:
        return None
    return library


def open_gpus(
    kind: Callable[[Nvml, Sequence[str]], MeterT],
    gpus: Sequence[str],
    *,
    load: Callable[[], Nvml | None] = load_library,
) -> MeterT | None:
    """A meter of all `gpus`; None where there are none, or one of them cannot be read: a part would be a wrong sum."""
    library = load() if gpus else None
    if library is None:
        return None
    try:
        return kind(library, gpus)
    except library.NVMLError:
        return None


class GpuCounterMeter:
    """Energy counters of GPUs of this node."""

    method: EnergyMethod = "nvml_counter"
    per_process = False
    covers: EnergyCovers | None = "gpus"

    def __init__(self, library: Nvml, gpus: Sequence[str], *, clock: Callable[[], float] = time.monotonic):
        """`gpus` are UUIDs. Raises NVMLError where one is not here or has no counter."""
        self._library, self._clock = library, clock
        self._handles = [library.nvmlDeviceGetHandleByUUID(gpu) for gpu in gpus]
        self._first = self._last = self._millijoules()
        self._lost = False

    def read(self) -> EnergyReading:
        """Unknown for good once a GPU is gone or its counter went back, as when the driver is loaded anew: nobody
        knows what it would have counted, and 64 bits of millijoules do not wrap.
        """
        joules = None
        if not self._lost:
            try:
                now = self._millijoules()
                self._lost = any(after < before for before, after in zip(self._last, now, strict=True))
                self._last = now
                joules = None if self._lost else (sum(now) - sum(self._first)) / 1000
            except self._library.NVMLError:
                self._lost = True
        return EnergyReading(
            method=self.method,
            at_seconds=self._clock(),
            energy_joules=joules,
            low_joules=joules,
            high_joules=joules,
        )

    def _millijoules(self) -> list[int]:
        return [self._library.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in self._handles]


class GpuPowerMeter:
    """Power of GPUs of this node, sampled in the background from the first reading on and integrated by trapezoid.

    A sample that comes late stands for all the time since the last one.
    """

    method: EnergyMethod = "nvml_power"
    per_process = False
    covers: EnergyCovers | None = "gpus"

    def __init__(
        self,
        library: Nvml,
        gpus: Sequence[str],
        *,
        clock: Callable[[], float] = time.monotonic,
        every_seconds: float = SAMPLE_SECONDS,
    ):
        """`gpus` are UUIDs. Raises NVMLError where one is not here or its power cannot be read."""
        self._library, self._clock, self._every_seconds = library, clock, every_seconds
        self._handles = [library.nvmlDeviceGetHandleByUUID(gpu) for gpu in gpus]
        self._watts = self._power()
        self._at_seconds: float | None = None
        self._joules = 0.0
        self._lost = False
        self._lock = threading.Lock()
        self._sampler: threading.Thread | None = None

    def read(self) -> EnergyReading:
        """Takes a sample as well, so that it is true to its time. Unknown for good once a GPU is gone."""
        with self._lock:
            if self._sampler is None:
                self._sampler = threading.Thread(target=self._go_on_sampling, name="GPU power", daemon=True)
                self._sampler.start()
            at_seconds = self._sample()
            joules = None if self._lost else self._joules
        return EnergyReading(
            method=self.method,
            at_seconds=at_seconds,
            energy_joules=joules,
            low_joules=None if joules is None else joules * (1 - POWER_ACCURACY),
            high_joules=None if joules is None else joules * (1 + POWER_ACCURACY),
        )

    def _go_on_sampling(self) -> None:
        while not self._lost:
            time.sleep(self._every_seconds)
            with self._lock:
                self._sample()

    def _sample(self) -> float:
        """Its time; whoever calls holds the lock."""
        if not self._lost:
            try:
                watts, now = self._power(), self._clock()
            except self._library.NVMLError:
                self._lost = True
            else:
                if self._at_seconds is not None:
                    self._joules += (now - self._at_seconds) * (self._watts + watts) / 2
                self._at_seconds, self._watts = now, watts
                return now
        return self._clock()

    def _power(self) -> float:
        return sum(self._library.nvmlDeviceGetPowerUsage(handle) for handle in self._handles) / 1000
