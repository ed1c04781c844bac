"""Energy of arms, and how far it is from what was published."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd

from dashboard.charts.common import COUNT, QUIET, Figure, colour_scale, top_legend
from glam.analysis.verdict import ArmSummary


@dataclass(frozen=True)
class Projection:
    """A training run at a published size: as published, or what an arm's joules per FLOP would come to."""

    model: str
    by: str
    """An arm, or `published`."""
    megawatt_hours: float
    low: float | None = None
    high: float | None = None


def energy_bars(arms: Sequence[ArmSummary]) -> Figure | None:
    """Energy of each arm with its bounds where it is an estimate; None where it is known of no arm."""
    rows = [
        {"arm": arm.arm, "joules": arm.energy_joules, "low": arm.energy_low_joules, "high": arm.energy_high_joules}
        for arm in arms
        if arm.energy_joules is not None
    ]
    if not rows:
        return None
    names = [arm.arm for arm in arms]
    frame = pd.DataFrame(rows).astype({"low": float, "high": float})
    base = alt.Chart(frame, title="Training energy, all seeds", height=alt.Step(46)).encode(
        y=alt.Y("arm:N", title=None, sort=names)
    )
    bars = base.mark_bar(size=22, cornerRadiusEnd=3).encode(
        x=alt.X("joules:Q", title="joules", axis=COUNT),
        color=alt.Color("arm:N", scale=colour_scale(names), legend=None),
        tooltip=["arm:N", *(alt.Tooltip(f"{name}:Q", format=",.0f") for name in ("joules", "low", "high"))],
    )
    bounds = base.transform_filter("isValid(datum.low)").mark_rule(color=QUIET, strokeWidth=2)
    return alt.layer(bars, bounds.encode(x="low:Q", x2="high:Q"))


def projections(found: Sequence[Projection], arms: Sequence[str]) -> Figure | None:
    """Published energy and projections of arms, on a logarithmic axis."""
    if not found:
        return None
    names = [*arms, "published"]
    colours = colour_scale(arms)
    frame = pd.DataFrame([vars(each) for each in found]).astype({"low": float, "high": float})
    axis = alt.Axis(format="~s", tickCount=6)
    base = alt.Chart(frame, title="Training at the published sizes (projected)", height=alt.Step(22)).encode(
        y=alt.Y("model:N", title=None, sort=list(dict.fromkeys(frame["model"])), axis=alt.Axis(labelLimit=170)),
        yOffset=alt.YOffset("by:N", sort=names),
        color=alt.Color(
            "by:N", scale=alt.Scale(domain=names, range=[*colours.range, QUIET]), sort=names, legend=top_legend()
        ),
        tooltip=[
            "model:N",
            "by:N",
            *(alt.Tooltip(f"{name}:Q", format=",.4~g") for name in ("megawatt_hours", "low", "high")),
        ],
    )
    x = alt.X("megawatt_hours:Q", title="MWh", scale=alt.Scale(type="log"), axis=axis)
    bounds = base.transform_filter("isValid(datum.low) && datum.low > 0").mark_rule(strokeWidth=2, opacity=0.7)
    return alt.layer(
        bounds.encode(x=alt.X("low:Q", title="MWh", scale=alt.Scale(type="log"), axis=axis), x2="high:Q"),
        base.mark_circle(size=120, opacity=1).encode(x=x),
    )
