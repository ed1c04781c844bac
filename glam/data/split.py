"""Which units are held out.

Whole units go, so a package is on one side. Duplicate clusters need no care of their own: the split
comes after deduplication, which leaves one document of a cluster, and one document is on one side.
What similarity below the threshold remains is counted by `overlap`.
"""

import numpy as np
from numpy.typing import NDArray

from glam.config import SplitConfig

SLACK = 0.15
"""The held-out share may miss its target by this share of it; units are not cut to fit."""


def heldout_units(unit_key_D: NDArray[np.uint64], num_bytes_D: NDArray[np.int64], config: SplitConfig) -> NDArray:
    """Sorted keys of the units that are held out: about `heldout_fraction` of all bytes, at most `max_megabytes`.

    A key is the unit's draw by name and seed. Units are asked in the order of their keys, and one that would overshoot
    is passed over; where none fits, the smallest is taken. Raises ValueError for fewer than two units.
    """
    keys, place = np.unique(unit_key_D, return_inverse=True)
    sizes = np.bincount(place, weights=num_bytes_D, minlength=len(keys)).astype(np.int64)
    if len(keys) < 2:
        raise ValueError(
            f"all {len(unit_key_D)} documents are of {len(keys)} unit(s); holding text out takes at least two: add "
            "files, or give the lines of a .jsonl different `unit` fields"
        )
    target = min(config.heldout_fraction * int(sizes.sum()), config.max_megabytes * 1e6)
    held_out, taken = [], 0
    for key, size in zip(keys.tolist(), sizes.tolist(), strict=True):
        if taken >= (1 - SLACK) * target:
            break
        if taken + size <= (1 + SLACK) * target:
            held_out.append(key)
            taken += size
    return np.array(held_out or [keys[np.argmin(sizes)]], dtype=np.uint64)
