"""Which units are held out.

Whole units go, so a package is on one side. Duplicate clusters need no care of their own: the split
comes after deduplication, which leaves one document of a cluster, and one document is on one side.
What similarity below the threshold remains is counted by `overlap`.
"""

from collections import Counter
from collections.abc import Sequence

from glam.config import SplitConfig
from glam.data.draws import draw
from glam.records import Document

SLACK = 0.15
"""The held-out share may miss its target by this share of it; units are not cut to fit."""


def heldout_units(documents: Sequence[Document], config: SplitConfig) -> frozenset[str]:
    """Units whose documents are held out: about `heldout_fraction` of all bytes, drawn by seed and name.

    Units are asked in a fixed pseudo-random order, and one that would overshoot is passed over; where none fits,
    the smallest is taken. Raises ValueError for fewer than two units.
    """
    sizes: Counter[str] = Counter()
    for document in documents:
        sizes[document.unit] += len(document.text.encode())
    if len(sizes) < 2:
        raise ValueError(
            f"all {len(documents)} documents are of {len(sizes)} unit(s) ({', '.join(sizes) or 'none'}); holding text "
            "out takes at least two: add files, or give the lines of a .jsonl different `unit` fields"
        )
    target = config.heldout_fraction * sizes.total()
    held_out: set[str] = set()
    taken = 0
    for unit in sorted(sizes, key=lambda unit: (draw(unit, config.seed), unit)):
        if taken >= (1 - SLACK) * target:
            break
        if taken + sizes[unit] <= (1 + SLACK) * target:
            held_out.add(unit)
            taken += sizes[unit]
    return frozenset(held_out or {min(sizes, key=lambda unit: (sizes[unit], unit))})
