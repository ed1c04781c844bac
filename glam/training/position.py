"""Where a run stands, and the hash of all that it has read to get there."""

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray

from glam.records import Detour, Record
from glam.store import Folder
from glam.training.parallel import ParallelGroup

TOTALS = "totals.json"
"""The position of a run that is done."""
LANES = 4
"""64-bit numbers of a stream hash."""


class Position(Record):
    """All that a run's future depends on, besides weights and optimizer state."""

    step: int
    """Steps done."""
    elapsed_seconds: float
    energy_joules: float | None = None
    energy_low_joules: float | None = None
    energy_high_joules: float | None = None
    idle_watts: float | None = None
    """Before the steps of the last attempt that could measure it; see `Clock.measure_idle`."""
    skipped_steps: int = 0
    """Steps whose loss or gradients were not finite."""
    skipped_in_a_row: int = 0
    recent_losses: tuple[float, ...] = ()
    """Of the last steps that were not skipped, for the next to be judged by."""
    detours: tuple[Detour, ...] = ()
    stream_hash: str = "0" * 16 * LANES
    """Of every row that was trained on up to the last checkpoint, with its place in the training: see StreamHash."""
    worker_counts: tuple[int, ...] = ()
    """Numbers of workers that made its steps, a new one with each change."""


def end_of(run: Folder) -> Position:
    """Position of a run that is done. Raises FileNotFoundError for another."""
    return Position.model_validate_json((run.path / TOTALS).read_bytes())


class StreamHash:
    """The sum modulo 2**64, in four lanes, of BLAKE2b over each row's place in the training and its ids.

    Rows may be added in any order and by any worker, so it is the same for any number of workers, and another one as
    soon as one row is missing, doubled, changed or elsewhere.
    """

    def __init__(self, group: ParallelGroup, start: str):
        self._group = group
        self._before = _lanes(start)
        self._own = np.zeros(LANES, np.uint64)

    def add(self, rows: NDArray[np.int64], first_row: int) -> None:
        """Rows [B, S + 1] that this worker trains on; `first_row` numbers the first one over the whole training."""
        for number, row in enumerate(rows, start=first_row):
            digest = hashlib.blake2b(row.astype("<i8").tobytes(), digest_size=8 * LANES, salt=number.to_bytes(16))
            self._own += np.frombuffer(digest.digest(), "<u8")

    def hexdigest(self) -> str:
        """Of all workers' rows so far; every worker asks."""
        total = self._group.sum(torch.from_numpy(self._own.view(np.int64))).numpy().view(np.uint64)
        return "".join(f"{lane:016x}" for lane in (self._before + total).tolist())


def _lanes(digest: str) -> NDArray[np.uint64]:
    return np.array([int(digest[start : start + 16], 16) for start in range(0, 16 * LANES, 16)], np.uint64)
