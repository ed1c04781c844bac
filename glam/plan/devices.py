"""DEVICES: what a chip can do at most, by its data sheet, and what share of that products reach.

A figure that no source gives is None. Peaks are dense, without sparsity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["accelerator", "processor"]
GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Device:
    """A chip, or this machine's processor."""

    name: str
    title: str
    kind: Kind
    peak_flops: Mapping[str, float]
    """FLOP/s of products by `train.precision`; a precision that is missing is not known."""
    memory_bytes: float
    bandwidth_bytes_per_second: float
    """To and from its own memory."""
    data_sheet_watts: float | None
    """Of the device alone, at most."""
    system_watts: float | None
    """Of the device with its share of the machine around it, as someone measured it on a run."""
    source: str

    def peak(self, precision: str) -> float:
        """FLOP/s. Raises ValueError listing the precisions whose peak is known."""
        if precision not in self.peak_flops:
            raise ValueError(
                f"no source gives a {precision} peak of {self.name}; known: {', '.join(self.peak_flops)} (--precision)"
            )
        return self.peak_flops[precision]

    @property
    def watts(self) -> float | None:
        """What is reckoned with: the measured power of the system, else the data sheet's."""
        return self.data_sheet_watts if self.system_watts is None else self.system_watts


@dataclass(frozen=True)
class Achievable:
    """An assumption, one for each kind of device."""

    fraction: float
    """Of the peak, in products alone: other work and exchanges are counted beside them."""
    source: str


ACHIEVABLE: Mapping[Kind, Achievable] = {
    "accelerator": Achievable(
        0.63,
        "the highest share of the peak that we know of in a whole published run, recomputation counted: 63 % on TPU v4 "
        "(MLPerf Training 1.1, dense encoders of 200 B and 480 B); A100 56 % (arXiv:2205.05198), PaLM 57.8 %",
    ),
    "processor": Achievable(
        0.83,
        "torch's products against numpy's, with which the peak is measured: 0.86 (AMD EPYC with AVX-512, one thread "
        "and two); inside a step against alone: 0.97, 280 of 290 GFLOP/s (docs/model.md)",
    ),
}

_V100 = Device(
    name="v100",
    title="NVIDIA V100 SXM2 32 GB",
    kind="accelerator",
    peak_flops={"bfloat16": 125e12, "float32": 15.7e12, "float64": 7.8e12},
    memory_bytes=32 * GIB,
    bandwidth_bytes_per_second=900e9,
    data_sheet_watts=300,
    system_watts=330,
    source="data sheet of V100 (16-bit products are float16); 330 W: Patterson et al. (arXiv:2104.10350), for GPT-3",
)
_A100_40 = Device(
    name="a100_40",
    title="NVIDIA A100 SXM4 40 GB",
    kind="accelerator",
    peak_flops={"bfloat16": 312e12, "float32": 19.5e12, "float64": 19.5e12},
    memory_bytes=40 * GIB,
    bandwidth_bytes_per_second=1555e9,
    data_sheet_watts=400,
    system_watts=None,
    source="data sheet of A100 (float32 without TF32, as torch multiplies by default; float64 in tensor cores)",
)
_H100 = Device(
    name="h100",
    title="NVIDIA H100 SXM5 80 GB",
    kind="accelerator",
    peak_flops={"bfloat16": 989e12, "float32": 67e12, "float64": 67e12},
    memory_bytes=80 * GIB,
    bandwidth_bytes_per_second=3350e9,
    data_sheet_watts=700,
    system_watts=None,
    source="data sheet of H100, whose tensor figures are with sparsity and halved here",
)


def _like(device: Device, **changes: object) -> Device:
    return Device(**{**device.__dict__, **changes})


DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        Device(
            name="tpu_v4",
            title="Google TPU v4",
            kind="accelerator",
            peak_flops={"bfloat16": 275e12},
            memory_bytes=32 * GIB,
            bandwidth_bytes_per_second=1200e9,
            data_sheet_watts=192,
            system_watts=326,
            source="Cloud TPU documentation, system architecture (192 W: highest measured of the chip alone); 326 W: "
            "GLaM (arXiv:2112.06905), section 6",
        ),
        _V100,
        _A100_40,
        _like(
            _A100_40,
            name="a100_80",
            title="NVIDIA A100 SXM4 80 GB",
            memory_bytes=80 * GIB,
            bandwidth_bytes_per_second=2039e9,
        ),
        _H100,
        _like(
            _H100,
            name="h200",
            title="NVIDIA H200 SXM 141 GB",
            memory_bytes=141e9,
            bandwidth_bytes_per_second=4800e9,
            source="data sheet of H200, whose tensor figures are with sparsity and halved here",
        ),
        _like(
            _H100,
            name="b200",
            title="NVIDIA B200 SXM 180 GB",
            peak_flops={"bfloat16": 2250e12, "float32": 75e12, "float64": 37e12},
            memory_bytes=180e9,
            bandwidth_bytes_per_second=7700e9,
            data_sheet_watts=1000,
            source="HGX B200 by an eighth, recalled and as sellers list it: 180 GB and 7.7 TB/s, where others say 192 "
            "and 8; not read in a data sheet",
        ),
    )
}
"""By name; this machine's processor is measured instead (`glam.plan.machine`)."""
