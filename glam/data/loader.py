"""Batches of token ids: a pure function of (shards, seed, step, detours), O(1) in the step. No state."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glam.data.draws import draw
from glam.data.permutation import permute
from glam.data.shards import Shards


class Loader:
    """Rows of a shards folder in a new order each epoch; a batch may span two epochs.

    Where rows are asked for, `detours` are steps at which a roll-back left the planned order: from each of them on the
    order is another one, so that a rolled-back run does not meet the same batches again.
    """

    def __init__(self, folder_path: Path, *, global_batch_size: int, seed: int):
        self._shards = Shards.open(folder_path)
        self._global_batch_size = global_batch_size
        self._seed = seed

    @property
    def num_rows(self) -> int:
        return self._shards.facts.num_rows

    @property
    def sequence_length(self) -> int:
        return self._shards.facts.sequence_length

    @property
    def vocab_size(self) -> int:
        return self._shards.facts.vocab_size

    def batch(self, step: int, detours: Sequence[int] = ()) -> NDArray[np.int64]:
        """Token ids [global_batch_size, sequence_length + 1] of step `step`, counted from 0."""
        return self.rows(step, 0, self._global_batch_size, detours)

    def rows(self, step: int, first: int, last: int, detours: Sequence[int] = ()) -> NDArray[np.int64]:
        """Rows first..last-1 of that batch: a worker's share."""
        assert 0 <= first <= last <= self._global_batch_size, f"rows {first}..{last} of {self._global_batch_size}"
        return self._shards.rows(self.row_numbers(step, first, last, detours))

    def row_numbers(self, step: int, first: int, last: int, detours: Sequence[int] = ()) -> NDArray[np.int64]:
        """Which stored rows those are."""
        position = step * self._global_batch_size + np.arange(first, last, dtype=np.int64)
        epoch, index = np.divmod(position, self.num_rows)
        num_detours = sum(detour <= step for detour in detours)
        number = np.empty_like(index)
        for each in np.unique(epoch):
            key = draw(f"epoch {each} after {num_detours} detours", self._seed)
            number[epoch == each] = permute(index[epoch == each], self.num_rows, key)
        return number
