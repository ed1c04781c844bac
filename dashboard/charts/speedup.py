"""How many times faster one arm is, and laws of the loss over sizes."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts.common import AXIS_TITLES, COUNT, QUIET, Figure, colour_scale, stroke_legend
from glam.analysis.verdict import AxisComparison, ScalingFit


def speedups(axes: Sequence[AxisComparison], first: str, second: str) -> Figure | None:
    """Effective speed-up along each cost, with its interval about a line at 1; None where none is known."""
    rows = [
        {
            "cost": AXIS_TITLES[axis.axis],
            "speedup": axis.speedup.value,
            "low": axis.speedup.low,
            "high": axis.speedup.high,
            "how": "extrapolated" if axis.speedup.extrapolated else "read off the curves",
        }
        for axis in axes
        if axis.speedup is not None and axis.speedup.value is not None
    ]
    if not rows:
        return None
    frame = pd.DataFrame(rows).astype({"low": float, "high": float})
    scale = alt.Scale(type="log", nice=False, padding=24)
    axis = alt.Axis(format="~g", tickCount=5)
    title = f"Times the cost that {second} needs to be as good as {first}"
    base = alt.Chart(frame, title=title, height=alt.Step(34)).encode(
        y=alt.Y("cost:N", title=None, sort=[row["cost"] for row in rows]),
        tooltip=[
            "cost:N",
            *(alt.Tooltip(f"{name}:Q", format=".2f") for name in ("speedup", "low", "high")),
            "how:N",
        ],
    )
    colour = alt.value(colour_scale([first, second]).range[0])
    one = alt.Chart(pd.DataFrame({"one": [1.0]})).mark_rule(color=QUIET, strokeDash=[3, 3])
    intervals = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(strokeWidth=2)
    return alt.layer(
        one.encode(x=alt.X("one:Q", scale=scale, axis=axis)),
        intervals.encode(
            x=alt.X("low:Q", title="speed-up (above 1: faster)", scale=scale, axis=axis), x2="high:Q", color=colour
        ),
        base.mark_circle(size=120, opacity=1).encode(
            x=alt.X("speedup:Q", title="speed-up (above 1: faster)", scale=scale, axis=axis), color=colour
        ),
    )


def scaling(fits: Sequence[ScalingFit], axis: str) -> Figure | None:
    """Ends of runs and the laws fitted to them, over compute or over the number of experts; None for no point."""
    rows = [
        {
            "group": fit.group,
            "arm": point.arm,
            "seed": str(point.seed),
            "x": point.x,
            "loss": point.loss,
            "fitted": point.fitted,
        }
        for fit in fits
        if fit.axis == axis
        for point in fit.points
        if point.loss is not None
    ]
    if not rows:
        return None
    frame = pd.DataFrame(rows).astype({"fitted": float, "loss": float})
    groups = list(dict.fromkeys(frame["group"]))
    title, x_title = {
        "flops": ("Held-out loss over compute", "training FLOPs"),
        "experts": ("Held-out loss over the number of experts", "experts"),
    }[axis]
    known = frame["x"] > 0
    frame = frame[known & np.isfinite(frame["loss"])]
    base = alt.Chart(frame, title=title, height=380).encode(
        x=alt.X("x:Q", title=x_title, scale=alt.Scale(type="log", padding=16), axis=COUNT),
        color=alt.Color("group:N", scale=colour_scale(groups), legend=stroke_legend(None)),
        tooltip=[
            "group:N",
            "arm:N",
            "seed:N",
            alt.Tooltip("loss:Q", format=".4f"),
            alt.Tooltip("fitted:Q", format=".4f"),
        ],
    )
    y = alt.Scale(zero=False, padding=10)
    law = base.transform_filter("isValid(datum.fitted)").mark_line(strokeWidth=2)
    return alt.layer(
        law.encode(y=alt.Y("fitted:Q", title="nats per token", scale=y)),
        base.mark_circle(size=70, opacity=1).encode(y=alt.Y("loss:Q", title="nats per token", scale=y)),
    )
