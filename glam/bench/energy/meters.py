"""Both meters at once on one busy process: ours, the best of this machine, and codecarbon's offline tracker.

Offline, without files and handlers, codecarbon asks no network and keeps nothing. Where it finds no energy counter it
takes the processor's data-sheet power by load, and adds a model of the memory's power for the process's share of it.
"""

import time
from collections.abc import Callable

import numpy as np
from codecarbon import OfflineEmissionsTracker

from glam.bench.measure import BenchError
from glam.energy.account import JOULES_PER_MWH, KWH_PER_MWH, between
from glam.energy.meter import open_meter

SIZE = 512
JOULES_PER_KWH = JOULES_PER_MWH / KWH_PER_MWH


def side_by_side(busy_seconds: float) -> Callable[[], dict[str, float]]:
    """Facts: joules of so many busy seconds by each. Raises BenchError where our meter reads unknown."""
    meter = open_meter()

    def call() -> dict[str, float]:
        tracker = OfflineEmissionsTracker(
            country_iso_code="FRA",  # it wants one; energy does not depend on it
            output_methods=[],
            tracking_mode="process",
            measure_power_secs=1,
            log_level="error",
        )
        tracker.start()
        before = meter.read()
        _be_busy(busy_seconds)
        used = between(before, meter.read())
        tracker.stop()
        if used.joules is None:
            raise BenchError(f"the {meter.method} meter of this machine read unknown; there is nothing to compare")
        return {
            "our_joules": used.joules,
            "codecarbon_joules": tracker.final_emissions_data.energy_consumed * JOULES_PER_KWH,
        }

    return call


def _be_busy(seconds: float) -> None:
    matrix = np.random.default_rng(0).standard_normal((SIZE, SIZE))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        np.matmul(matrix, matrix)
