"""Time and energy of training proper: the windows around steps, over all attempts of a run."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

import torch

from glam.energy.meter import Meter
from glam.records import EnergyMethod, EnergyReading
from glam.training.parallel import ParallelGroup
from glam.training.position import Position


class Spent(TypedDict):
    """Fields of a Position, and of a Detour."""

    elapsed_seconds: float
    energy_joules: float | None
    energy_low_joules: float | None
    energy_high_joules: float | None


class Clock:
    """Adds up seconds and joules while `running()`; start-up, saving and held-out scoring are outside."""

    def __init__(self, meter: Meter, group: ParallelGroup, start: Position):
        self._meter = meter
        self._group = group
        self._elapsed_seconds = start.elapsed_seconds
        self._joules: list[float | None] = [start.energy_joules, start.energy_low_joules, start.energy_high_joules]
        if start.step == 0 and not start.detours and meter.method != "none":
            self._joules = [0.0, 0.0, 0.0]
        self.last_seconds = 0.0

    @property
    def method(self) -> EnergyMethod:
        return self._meter.method if self._joules[0] is not None else "none"

    @contextmanager
    def running(self) -> Iterator[None]:
        before, started = self._meter.read(), time.perf_counter()
        yield
        self.last_seconds = time.perf_counter() - started
        self._elapsed_seconds += self.last_seconds
        self._add(before, self._meter.read())

    @property
    def spent(self) -> Spent:
        """Seconds of this worker and joules of all, since the run began."""
        joules, low, high = self._joules
        return Spent(
            elapsed_seconds=self._elapsed_seconds,
            energy_joules=joules,
            energy_low_joules=low,
            energy_high_joules=high,
        )

    def _add(self, before: EnergyReading, after: EnergyReading) -> None:
        start = (before.energy_joules, before.low_joules, before.high_joules)
        end = (after.energy_joules, after.low_joules, after.high_joules)
        # Unknown travels as NaN, so one unknown window makes the sum unknown; it is never counted as 0.
        used = torch.tensor(
            [_number(last) - _number(first) for first, last in zip(start, end, strict=True)], dtype=torch.float64
        )
        if self._meter.per_process:
            used = self._group.sum(used)
        totals = [_number(total) + more for total, more in zip(self._joules, used.tolist(), strict=True)]
        self._joules = [None if math.isnan(total) else total for total in totals]


def _number(joules: float | None) -> float:
    return math.nan if joules is None else joules
