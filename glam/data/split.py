"""Which units are held out.

Whole units go, so a package is on one side. Duplicate clusters need no care of their own: the split
comes after deduplication, which leaves one document of a cluster, and one document is on one side.
What similarity below the threshold remains is counted by `overlap`.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from glam.config import SplitConfig

UnitSizes = tuple[NDArray[np.uint64], NDArray[np.int64]]
"""(key of its unit, bytes) of some documents."""
KEYS = 1 << 64
AT_ONCE = 1 << 22
"""Documents whose units are summed up at once, about."""
SLACK = 0.15
"""The held-out share may miss its target by this share of it; units are not cut to fit."""


def heldout_units(parts: Callable[[], Iterable[UnitSizes]], config: SplitConfig) -> NDArray[np.uint64]:
    """Sorted keys of the units that are held out: about `heldout_fraction` of all bytes, at most `max_megabytes`.

    `parts` gives the documents of a corpus, part by part, each time it is asked. A key is the unit's draw by name and
    seed. Units are asked in the order of their keys, and one that would overshoot is passed over; where none fits, the
    smallest is taken. Raises ValueError for fewer than two units.
    """
    num_documents = total = 0
    least, most = KEYS, -1
    for unit_key_N, num_bytes_N in parts():
        num_documents += len(unit_key_N)
        total += int(num_bytes_N.sum())
        if len(unit_key_N):
            least, most = min(least, int(unit_key_N.min())), max(most, int(unit_key_N.max()))
    if least >= most:
        raise ValueError(
            f"all {num_documents} documents are of {min(num_documents, 1)} unit(s); holding text out takes at least "
            "two: add files, or give the lines of a .jsonl different `unit` fields"
        )
    target = min(config.heldout_fraction * total, config.max_megabytes * 1e6)
    held_out, taken, smallest = [], 0, (total, 0)
    for key, size in _units(parts, 1 + num_documents // AT_ONCE):
        if taken >= (1 - SLACK) * target:
            break
        if taken + size <= (1 + SLACK) * target:
            held_out.append(key)
            taken += size
        smallest = min(smallest, (size, key))
    return np.array(held_out or [smallest[1]], dtype=np.uint64)


def _units(parts: Callable[[], Iterable[UnitSizes]], num_partitions: int) -> Iterator[tuple[int, int]]:
    """(key, bytes) of each unit in the order of keys, from one partition of all keys after the other."""
    for partition in range(num_partitions):
        first, last = (partition * KEYS // num_partitions, (partition + 1) * KEYS // num_partitions - 1)
        keys, sizes = np.empty(0, np.uint64), np.empty(0, np.int64)
        for unit_key_N, num_bytes_N in parts():
            within_N = (unit_key_N >= np.uint64(first)) & (unit_key_N <= np.uint64(last))
            keys = np.concatenate([keys, unit_key_N[within_N]])
            keys, place = np.unique(keys, return_inverse=True)
            sizes = np.concatenate([sizes, num_bytes_N[within_N]])
            sizes = np.bincount(place, weights=sizes, minlength=len(keys)).astype(np.int64)
        yield from zip(keys.tolist(), sizes.tolist(), strict=True)
