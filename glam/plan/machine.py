"""This machine as a cluster of one: its peak and its memory's rate are measured, with numpy, since torch is not wanted.

A product of torch may be faster or slower than numpy's by what their libraries differ; plans for this machine say so.
"""

import time
from collections.abc import Callable

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

from glam.energy.meter import WATTS_PER_CORE
from glam.plan.clusters import Cluster, Node
from glam.plan.devices import Device

PRODUCT_SIZE = 1024
COPIED_FLOATS = 1 << 25
NUM_TRIES = 5
ALONE = Node(
    num_devices=1, inside_bytes_per_second=float("inf"), between_bytes_per_second=float("inf"), source="one process"
)


def this_machine(threads: int) -> Cluster:
    """One training process of so many threads; takes some tenths of a second."""
    device = Device(
        name="cpu",
        title=f"this machine's processor, {threads} thread{'s' if threads > 1 else ''}",
        kind="processor",
        peak_flops={name: measured_peak(name, threads) for name in ("float32", "float64")},
        memory_bytes=float(psutil.virtual_memory().total),
        bandwidth_bytes_per_second=measured_bandwidth(),
        data_sheet_watts=None,
        system_watts=WATTS_PER_CORE * threads,
        source=f"measured: best of {NUM_TRIES} products of numpy, whose library is not torch's, and of as many copies "
        f"on one thread; power assumed, {WATTS_PER_CORE:g} W a busy core (glam.energy.meter)",
    )
    return Cluster(name="here", device=device, num_devices=1, node=ALONE, source=ALONE.source)


def measured_peak(precision: str, threads: int) -> float:
    """FLOP/s of a square product on so many threads."""
    factor = np.ones((PRODUCT_SIZE, PRODUCT_SIZE), dtype=precision)
    with threadpool_limits(limits=threads, user_api="blas"):
        return 2 * PRODUCT_SIZE**3 / _least_seconds(lambda: factor @ factor)


def measured_bandwidth() -> float:
    """Bytes read and written in a second by a copy that fits no cache."""
    origin = np.ones(COPIED_FLOATS, dtype=np.float32)
    copy = np.empty_like(origin)
    return 2 * origin.nbytes / _least_seconds(lambda: np.copyto(copy, origin))


def _least_seconds(call: Callable[[], object]) -> float:
    seconds = []
    for _ in range(NUM_TRIES):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
