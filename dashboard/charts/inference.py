"""What models take to write text, by batch size: one chart a figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import altair as alt
import pandas as pd

from dashboard.charts.common import COUNT, QUIET, Figure, colour_scale, top_legend
from glam.records import InferenceResult


@dataclass(frozen=True)
class Panel:
    """One of the charts."""

    field: Literal["tokens_per_second", "joules_per_token", "peak_bytes"]
    title: str
    unit: str


PANELS = (
    Panel("tokens_per_second", "New tokens per second", "tokens per second"),
    Panel("joules_per_token", "Energy of a new token", "joules per token"),
    Panel("peak_bytes", "Memory at the peak", "bytes"),
)


def by_batch(results: Mapping[str, InferenceResult], panel: Panel) -> Figure | None:
    """Bars of each arm at each batch size, bounds where energy is an estimate; None where nothing is known.

    `results` by the arms' names.
    """
    of_energy = panel.field == "joules_per_token"
    rows = [
        {
            "arm": arm,
            "batch": point.batch_size,
            "value": value,
            "low": point.low_joules_per_token if of_energy else None,
            "high": point.high_joules_per_token if of_energy else None,
        }
        for arm, result in results.items()
        for point in result.points
        if (value := getattr(point, panel.field)) is not None
    ]
    if not rows:
        return None
    arms = list(results)
    frame = pd.DataFrame(rows).astype({"low": float, "high": float})
    base = alt.Chart(frame, title=panel.title, height=280).encode(
        x=alt.X("batch:O", title="rows written at once", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("arm:N", sort=arms),
    )
    bars = base.mark_bar(cornerRadiusEnd=3).encode(
        y=alt.Y("value:Q", title=panel.unit, axis=COUNT),
        color=alt.Color("arm:N", scale=colour_scale(arms), legend=top_legend()),
        tooltip=["arm:N", "batch:O", *(alt.Tooltip(f"{name}:Q", format=".4~s") for name in ("value", "low", "high"))],
    )
    bounds = base.transform_filter("isValid(datum.low)").mark_rule(color=QUIET, strokeWidth=2)
    return alt.layer(bars, bounds.encode(y="low:Q", y2="high:Q"))
