"""Energy meters, the best that this machine has: of GPUs NVML, of processors RAPL counters, else a power model, else
none.

A meter counts joules since some origin; differences mean something. A meter of the whole node is read by one process a
node; a meter `per_process` sees its own process, so every worker reads one and the sum is the run's.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from glam.energy.nvml import GpuCounterMeter, GpuPowerMeter, open_gpus
from glam.energy.rapl import RaplMeter
from glam.records import EnergyCovers, EnergyMethod, EnergyReading

WATTS_PER_CORE = 7.0
LOW_WATTS_PER_CORE, HIGH_WATTS_PER_CORE = 3.5, 15.0
"""Assumption, not a measurement: power of a busy core with its share of cache, memory controller and memory.

Server and laptop processors of 2018 to 2025 have data-sheet powers of 3 to 15 W a core (e.g. AMD EPYC 9654: 360 W
for 96 cores, Intel Core i7-8700: 65 W for 6), so the range is wide and the figure carries it. Where two busy
hyper-threads share a core, CPU seconds count them twice. Comparisons of runs on one machine cancel the constant.
"""


class Meter(Protocol):
    """Reads energy; never raises for a counter that is gone, but reads unknown."""

    @property
    def method(self) -> EnergyMethod: ...
    @property
    def per_process(self) -> bool: ...
    @property
    def covers(self) -> EnergyCovers | None:
        """What of the machine its figures are about."""
        ...

    def read(self) -> EnergyReading: ...


class PowerModelMeter:
    """CPU seconds of this process, all threads, times assumed watts per busy core, with a range."""

    method: EnergyMethod = "power_model"
    per_process = True
    covers: EnergyCovers | None = "busy cores"

    def __init__(
        self,
        *,
        cpu_seconds: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
        watts_per_core: tuple[float, float, float] = (LOW_WATTS_PER_CORE, WATTS_PER_CORE, HIGH_WATTS_PER_CORE),
    ):
        """`watts_per_core` is (low, expected, high). Raises ValueError where they are not in order."""
        low, expected, high = watts_per_core
        if not 0 < low <= expected <= high:
            raise ValueError(f"watts_per_core={watts_per_core} must be (low, expected, high), positive and in order")
        self._cpu_seconds, self._clock, self._watts = cpu_seconds, clock, watts_per_core

    def read(self) -> EnergyReading:
        spent = self._cpu_seconds()
        low, expected, high = (watts * spent for watts in self._watts)
        return EnergyReading(
            method=self.method,
            at_seconds=self._clock(),
            energy_joules=expected,
            low_joules=low,
            high_joules=high,
        )


class NoMeter:
    """Says that energy is unknown."""

    method: EnergyMethod = "none"
    per_process = True
    covers: EnergyCovers | None = None

    def read(self) -> EnergyReading:
        return EnergyReading(method=self.method, at_seconds=time.monotonic(), energy_joules=None)


METERS: dict[str, Callable[[Sequence[str]], Meter | None]] = {
    "nvml_counter": partial(open_gpus, GpuCounterMeter),
    "nvml_power": partial(open_gpus, GpuPowerMeter),
    "rapl": lambda _: RaplMeter.open(),
    "power_model": lambda _: PowerModelMeter(),
    "none": lambda _: NoMeter(),
}
"""Best first, called with the UUIDs of the GPUs that this node works on; None where this machine has no such meter."""


def open_meter(name: str | None = None, *, gpus: Sequence[str] = ()) -> Meter:
    """The named meter, or the best that this machine has: for work on `gpus`, by UUID, or without any on processors.

    Work on GPUs that no meter sees is unknown: what its processors take is not what it takes. Raises ValueError for an
    unknown name and for a meter that is not here.
    """
    if name is None:
        here = (meter for make in METERS.values() if (meter := make(gpus)) is not None)
        return next(meter for meter in here if not gpus or meter.covers in ("gpus", None))
    if name not in METERS:
        raise ValueError(f"unknown energy meter {name!r}; known: {', '.join(METERS)}")
    meter = METERS[name](gpus)
    if meter is None:
        raise ValueError(f"energy meter {name!r} cannot be read on this machine; leave the choice to open_meter()")
    return meter
