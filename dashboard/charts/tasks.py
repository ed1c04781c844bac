"""Scores on tasks: one model or two, beside chance and what was published."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import pandas as pd

from dashboard.charts.common import PERCENT, QUIET, Figure, colour_scale, top_legend
from glam.analysis.verdict import TaskComparison

ROW_PIXELS = 30
FRAME_PIXELS = 195
"""Of title, legend and axis."""
LABELS = alt.Axis(labelLimit=170)


@dataclass(frozen=True)
class Score:
    """A dot: one model on one task, as fractions."""

    task: str
    model: str
    value: float
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    majority: float | None = None
    how: str = ""
    """What the tooltip adds: the metric, or how sure a published number is."""


def task_scores(scores: Sequence[Score], models: Sequence[str]) -> Figure | None:
    """Dots with their intervals, chance as a grey tick, the most frequent answer as a hollow one; None for no score."""
    if not scores:
        return None
    order = list(dict.fromkeys(score.task for score in scores))
    frame = pd.DataFrame([vars(score) for score in scores]).astype(
        dict.fromkeys(("low", "high", "chance", "majority"), float)
    )
    base = alt.Chart(frame).encode(
        y=alt.Y("task:N", title=None, sort=order, axis=LABELS), yOffset=alt.YOffset("model:N", sort=list(models))
    )
    scale = alt.Scale(domainMin=0, nice=True)
    colour = alt.Color("model:N", scale=colour_scale(models), sort=list(models), legend=top_legend())
    tooltip = [
        "task:N",
        "model:N",
        *(alt.Tooltip(f"{name}:Q", format=".1%") for name in ("value", "low", "high", "chance", "majority")),
        alt.Tooltip("how:N", title="metric"),
    ]
    dots = base.mark_circle(size=110, opacity=1).encode(
        x=alt.X("value:Q", title="score", scale=scale, axis=PERCENT), color=colour, tooltip=tooltip
    )
    intervals = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=2, opacity=0.7)
    once = alt.Chart(frame.drop_duplicates("task")).encode(y=alt.Y("task:N", title=None, sort=order, axis=LABELS))
    chance = once.transform_filter("isValid(datum.chance)").mark_tick(color=QUIET, thickness=2, size=ROW_PIXELS - 8)
    majority = once.transform_filter("isValid(datum.majority)").mark_point(
        shape="diamond", color=QUIET, size=60, strokeWidth=1.5
    )
    return alt.layer(
        chance.encode(x=alt.X("chance:Q", title="score", scale=scale, axis=PERCENT)),
        majority.encode(x=alt.X("majority:Q", title="score", scale=scale, axis=PERCENT)),
        intervals.encode(x=alt.X("low:Q", title="score", scale=scale, axis=PERCENT), x2="high:Q", color=colour),
        dots,
    ).properties(
        title="Scores with 95 % intervals",
        height=FRAME_PIXELS + max(ROW_PIXELS, ROW_PIXELS // 2 * len(models) + 8) * len(order),
    )


def task_differences(tasks: Sequence[TaskComparison], first: str, second: str) -> Figure | None:
    """Difference of each task with its 95 % interval about a line at zero, coloured where Holm's correction leaves an
    arm the better one; None where none is known.
    """
    rows = [
        {
            "task": task_name(task.title, task.num_shots),
            "difference": task.difference.value,
            "low": task.difference.low,
            "high": task.difference.high,
            "better": {"first": first, "second": second, "undecided": "undecided"}[task.better],
            "p": task.p_value,
            "holm": task.p_value_adjusted,
            "detectable": task.minimum_detectable_effect,
        }
        for task in tasks
        if task.difference.value is not None
    ]
    if not rows:
        return None
    arms = colour_scale([first, second])
    colours = alt.Scale(domain=[first, second, "undecided"], range=[*arms.range, QUIET])
    order = [row["task"] for row in rows]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(("low", "high", "p", "holm", "detectable"), float))
    base = alt.Chart(frame, title=f"{first} minus {second}, 95 % interval", height=alt.Step(ROW_PIXELS)).encode(
        y=alt.Y("task:N", title=None, sort=order, axis=LABELS),
        color=alt.Color("better:N", scale=colours, legend=top_legend("better")),
        tooltip=[
            "task:N",
            *(alt.Tooltip(f"{name}:Q", format="+.3f") for name in ("difference", "low", "high")),
            alt.Tooltip("p:Q", format=".2g"),
            alt.Tooltip("holm:Q", title="Holm's p", format=".2g"),
            alt.Tooltip("detectable:Q", title="would show", format=".3f"),
        ],
    )
    ends = [abs(end) for row in rows for end in (row["low"], row["high"]) if isinstance(end, float)]
    # Few clusters can make an interval wider than any score; the axis ends where scores do.
    scale = alt.Scale(domain=[-1, 1]) if max(ends, default=0) > 1 else alt.Undefined
    axis = alt.Axis(format="+.0%", tickCount=6)
    zero = alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="zero:Q")
    return alt.layer(
        zero,
        base.mark_rule(strokeWidth=2, clip=True).encode(
            x=alt.X("low:Q", title="difference in score", scale=scale, axis=axis), x2="high:Q"
        ),
        base.mark_circle(size=110, opacity=1).encode(x=alt.X("difference:Q", scale=scale, axis=axis)),
    )


def decisions(counts: Sequence[tuple[str, int]], first: str, second: str) -> Figure:
    """How many task settings each arm has won, and how many nobody has, as one bar."""
    colours = alt.Scale(
        domain=[name for name, _ in counts],
        range=[
            {first: colour_scale([first, second]).range[0], second: colour_scale([first, second]).range[1]}.get(
                name, QUIET
            )
            for name, _ in counts
        ],
    )
    frame = pd.DataFrame(
        [{"all": "", "better": name, "settings": count, "order": place} for place, (name, count) in enumerate(counts)]
    )
    return (
        alt.Chart(frame, height=alt.Step(40))
        .mark_bar(size=30)
        .encode(
            y=alt.Y("all:N", title=None, axis=None),
            x=alt.X("settings:Q", title="task settings", axis=alt.Axis(tickMinStep=1, format="d", grid=False)),
            color=alt.Color("better:N", scale=colours, legend=top_legend("better")),
            order="order:O",
            tooltip=["better:N", "settings:Q"],
        )
    )


def task_name(task: str, num_shots: int) -> str:
    """A task as it is called on the pages."""
    return f"{task.replace('_', ' ')}, {num_shots}-shot"
