"""Energy's benchmark: a cross-check of meters, so there is no goal. Names of rows stay, so that two results can be
compared.

A ratio far from 1 is a reason to look at what each of the two takes for granted, such as watts of a core.
"""

from glam.bench.measure import Contestant
from glam.bench.rows import Claim, Race, fact

BUSY_SECONDS = 30.0


def races() -> list[Race]:
    """One row: joules of the same busy seconds of one process, by both meters at once."""
    both = Contestant("glam.bench.energy.meters:side_by_side", {"busy_seconds": BUSY_SECONDS}, package="codecarbon")
    claim = Claim(
        "busy_process", "J", "both", "both", None, fact("our_joules"), other_measure=fact("codecarbon_joules")
    )
    return [Race({"both": both}, (claim,))]
