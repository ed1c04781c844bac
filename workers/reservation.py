"""CPUs of a Ray that several runs of one store share: each takes as many as it needs before its work starts.

Ray itself places what fits and says nothing of what waits, and between looking and placing pass seconds in which two
runs see the same CPUs free. So a run holds a file lock for each CPU; the kernel releases it when its owner dies.
"""

import re
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import ray

from glam.store import Store, StoreError
from workers.cluster import is_shared

SECONDS_BETWEEN_LOOKS = 0.5


class Reservation:
    """A number of CPUs, held from `take` until the block ends."""

    def __init__(self, number: int, store: Store):
        self._number = number if is_shared() else 0
        self._store = store
        self._held = ExitStack()
        self._free = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.close()

    def take(self, *, patience_seconds: float) -> bool:
        """Whether they are ours now, or became so within this time."""
        deadline = time.monotonic() + patience_seconds
        while not self._try():
            if time.monotonic() > deadline:
                return False
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return True

    def words(self) -> str:
        """What is waited for."""
        return f"waits for {self._number} CPUs: {self._free} of {total_cpus()} free"

    def _try(self) -> bool:
        if self._number == 0:
            return True
        cluster = re.sub(r"[^0-9A-Za-z]+", "-", ray.get_runtime_context().gcs_address)
        with self._store.lock("cpus"), ExitStack() as found:
            free = 0
            for number in range(total_cpus()):
                try:
                    found.enter_context(self._store.lock(f"cpu-{cluster}-{number}", patience_seconds=0))
                except StoreError:
                    continue
                free += 1
                if free == self._number:
                    break
            # Others may use the cluster without asking us; what is idle in Ray counts too.
            self._free = min(free, int(ray.available_resources().get("CPU", 0)))
            if self._free < self._number:
                return False
            self._held = found.pop_all()
            return True


def total_cpus() -> int:
    """Of the whole cluster."""
    return int(ray.cluster_resources().get("CPU", 0))
