"""What all figures share: colours, axes, legends."""

from collections.abc import Mapping, Sequence
from typing import Literal

import altair as alt

Figure = alt.Chart | alt.LayerChart | alt.FacetChart
Axis = Literal["tokens", "flops", "seconds", "joules"]
AXIS_TITLES: Mapping[Axis, str] = {
    "tokens": "tokens",
    "flops": "training FLOPs",
    "seconds": "training seconds",
    "joules": "energy, joules",
}

ARM_COLOURS: Mapping[str, str] = {"sparse": "#D55E00", "dense": "#0072B2"}
"""Okabe and Ito's palette: safe for colour-blind readers, the same on every page."""
OTHER_COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
QUIET = "#8A8F98"
PERCENT = alt.Axis(format=".0%", tickCount=6)
COUNT = alt.Axis(format="~s", tickCount=6)


def colour_scale(arms: Sequence[str]) -> alt.Scale:
    """Sparse and dense keep their colours, under these names or others; further arms take the next free ones.

    The first arm that has `dense` in its name is the dense one, and the first other beside it the sparse one.
    """
    taken = {arm: ARM_COLOURS[arm] for arm in arms if arm in ARM_COLOURS}
    dense = [arm for arm in arms if "dense" in arm]
    for kind, likely in (("dense", dense), ("sparse", [arm for arm in arms if arm not in dense] if dense else [])):
        if likely and ARM_COLOURS[kind] not in taken.values():
            taken[likely[0]] = ARM_COLOURS[kind]
    others = iter(OTHER_COLOURS * (1 + len(arms) // len(OTHER_COLOURS)))
    return alt.Scale(domain=list(arms), range=[taken.get(arm) or next(others) for arm in arms])


def source_scale(sources: Sequence[str]) -> alt.Scale:
    """Kinds of text, in colours that no arm has."""
    colours = OTHER_COLOURS * (1 + len(sources) // len(OTHER_COLOURS))
    return alt.Scale(domain=list(sources), range=list(colours[: len(sources)]))


def stroke_legend(title: str | None) -> alt.Legend:
    """Of lines, above the chart: beside it a narrow screen has no room."""
    return alt.Legend(title=title, orient="top", titleOrient="left", symbolType="stroke", columns=4, labelLimit=180)


def top_legend(title: str | None = None) -> alt.Legend:
    """Of anything else."""
    return alt.Legend(title=title, orient="top", titleOrient="left", columns=4, labelLimit=180, symbolOpacity=1)
