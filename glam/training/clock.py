"""Time and energy of training proper: the windows around steps, over all attempts of a run."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

import torch

from glam.energy.account import METHODS_BEST_FIRST, weakest_method
from glam.energy.meter import Meter
from glam.records import EnergyMethod, EnergyReading
from glam.training.parallel import ParallelGroup
from glam.training.position import Position

IDLE_SECONDS = 3.0


class Spent(TypedDict):
    """Fields of a Position, and of a Detour."""

    elapsed_seconds: float
    energy_joules: float | None
    energy_low_joules: float | None
    energy_high_joules: float | None


class Clock:
    """Adds up seconds and joules while `running()`; start-up, saving and held-out scoring are outside.

    A meter of a node is read by the worker that leads it, and the others add exactly 0; a meter of a process is read by
    each. So the sum over workers is the run's. Every worker makes one, with the meter of its own node.
    """

    def __init__(self, meter: Meter, group: ParallelGroup, start: Position):
        self._meter = meter
        self._group = group
        self._reads = meter.per_process or group.leads_node
        self._elapsed_seconds = start.elapsed_seconds
        self._joules: list[float | None] = [start.energy_joules, start.energy_low_joules, start.energy_high_joules]
        self._run_method: EnergyMethod
        self._run_method, self._sees_idle = self._agree()
        if start.step == 0 and not start.detours and self._run_method != "none":
            self._joules = [0.0, 0.0, 0.0]
        self.last_seconds = 0.0
        self.idle_watts = start.idle_watts
        self.reading: EnergyReading | None = None
        """The last one; None where this worker reads no meter."""

    @property
    def method(self) -> EnergyMethod:
        """The weakest of all workers' meters."""
        return self._run_method if self._joules[0] is not None else "none"

    @contextmanager
    def running(self) -> Iterator[None]:
        before, started = self._read(), time.perf_counter()
        yield
        self.last_seconds = time.perf_counter() - started
        self._elapsed_seconds += self.last_seconds
        after = self._read()
        self._add(before, after)
        self.reading = after if self._meter.method != "none" else None

    def measure_idle(self) -> None:
        """Power of what the meters cover while all workers wait; every worker asks, and at the same time.

        A meter of a process cannot see it; then what an earlier attempt found stays.
        """
        if not self._sees_idle:
            return
        self._group.wait()
        before = self._read()
        time.sleep(IDLE_SECONDS)
        after = self._read()
        own_watts = 0.0
        if before is not None and after is not None:
            joules = _difference(before.energy_joules, after.energy_joules)
            own_watts = joules / (after.at_seconds - before.at_seconds)
        watts = float(self._group.sum(torch.tensor([own_watts], dtype=torch.float64)))
        self.idle_watts = self.idle_watts if math.isnan(watts) else watts

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

    def _read(self) -> EnergyReading | None:
        return self._meter.read() if self._reads else None

    def _add(self, before: EnergyReading | None, after: EnergyReading | None) -> None:
        own = [0.0, 0.0, 0.0]
        if before is not None and after is not None:
            own = [
                _difference(before.energy_joules, after.energy_joules),
                _difference(before.low_joules, after.low_joules),
                _difference(before.high_joules, after.high_joules),
            ]
        used = self._group.sum(torch.tensor(own, dtype=torch.float64)).tolist()
        totals = [_number(total) + more for total, more in zip(self._joules, used, strict=True)]
        self._joules = [None if math.isnan(total) else total for total in totals]

    def _agree(self) -> tuple[EnergyMethod, bool]:
        """The weakest method among all that read, and whether all of them see more than their own process."""
        methods = torch.tensor([self._reads and self._meter.method == method for method in METHODS_BEST_FIRST])
        counts = self._group.sum(torch.cat([methods, torch.tensor([self._meter.per_process])]).long()).tolist()
        used: list[EnergyMethod] = [each for each, count in zip(METHODS_BEST_FIRST, counts, strict=False) if count]
        return weakest_method(used), not counts[-1]


def _difference(before: float | None, after: float | None) -> float:
    # Unknown travels as NaN, so one unknown window makes the sum unknown; it is never counted as 0.
    return _number(after) - _number(before)


def _number(joules: float | None) -> float:
    return math.nan if joules is None else joules
