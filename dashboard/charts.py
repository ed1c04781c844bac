"""The figures, as Altair charts from typed records. No Streamlit, no reading, no arithmetic beyond units."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import altair as alt
import pandas as pd

from glam.analysis.verdict import ArmSummary, TaskComparison
from glam.records import HeldoutPoint, StepMetrics

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
UNSHOWN_FRACTION = 0.15
"""Of a run: its first, steep part would press the rest of the curve flat, so the loss axis leaves it out."""


def colour_scale(arms: Sequence[str]) -> alt.Scale:
    """Sparse and dense keep their colours; further arms take the next free ones in order."""
    others = iter(OTHER_COLOURS * (1 + len(arms) // len(OTHER_COLOURS)))
    return alt.Scale(domain=list(arms), range=[ARM_COLOURS.get(arm) or next(others) for arm in arms])


def curve_rows(
    arm: str, seed: int, records: Iterable[StepMetrics | HeldoutPoint], flops_per_token: float | None
) -> list[dict[str, object]]:
    """One row a record, with its cost on each axis; unknown costs are left empty."""
    return [
        {
            "arm": arm,
            "seed": str(seed),
            "run": f"{arm}, seed {seed}",
            "step": record.step,
            "loss": record.loss,
            "tokens": record.tokens,
            "flops": None if flops_per_token is None else record.tokens * flops_per_token,
            "seconds": record.elapsed_seconds,
            "joules": record.energy_joules,
        }
        for record in records
    ]


def loss_curves(
    rows: Sequence[Mapping[str, object]], arms: Sequence[str], axis: Axis, *, title: str, points: bool
) -> Figure | None:
    """Loss against a cost, one line a run; None where the cost is known of no point."""
    frame = pd.DataFrame(rows).dropna(subset=["loss", axis]) if rows else pd.DataFrame()
    if frame.empty:
        return None
    seeds = {row["seed"] for row in rows}
    base = alt.Chart(frame, title=title, height=380).encode(
        x=alt.X(f"{axis}:Q", title=AXIS_TITLES[axis], axis=alt.Axis(format="~s", tickCount=6)),
        y=alt.Y("loss:Q", title="loss, nats per token", scale=alt.Scale(domain=_flat_part(frame, axis), nice=False)),
        color=alt.Color("arm:N", scale=colour_scale(arms), legend=_legend(None)),
        detail="run:N",
        tooltip=[
            alt.Tooltip("run:N"),
            alt.Tooltip("step:Q"),
            alt.Tooltip("loss:Q", format=".4f"),
            alt.Tooltip("tokens:Q", format=",.0f"),
            alt.Tooltip("seconds:Q", format=".1f"),
            alt.Tooltip("joules:Q", format=",.0f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2, clip=True).encode(
        strokeDash=alt.Undefined if len(seeds) == 1 else alt.StrokeDash("seed:N", legend=_legend("seed"))
    )
    return alt.layer(lines, base.mark_circle(size=36, opacity=1, clip=True)) if points else alt.layer(lines)


def _flat_part(frame: pd.DataFrame, axis: Axis) -> list[float]:
    """Ends of the loss axis: those of the curve after UNSHOWN_FRACTION of the cost."""
    costs, losses = frame[axis].astype(float).tolist(), frame["loss"].astype(float).tolist()
    shown = [loss for cost, loss in zip(costs, losses, strict=True) if cost >= UNSHOWN_FRACTION * max(costs)]
    margin = 0.05 * (max(shown) - min(shown)) + 0.01
    return [min(shown) - margin, max(shown) + margin]


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
    base = alt.Chart(pd.DataFrame(rows), title="Training energy, all seeds", height=alt.Step(46)).encode(
        y=alt.Y("arm:N", title=None, sort=names)
    )
    bars = base.mark_bar(size=22, cornerRadiusEnd=3).encode(
        x=alt.X("joules:Q", title="joules", axis=alt.Axis(format="~s", tickCount=6)),
        color=alt.Color("arm:N", scale=colour_scale(names), legend=None),
        tooltip=["arm:N", *(alt.Tooltip(f"{name}:Q", format=",.0f") for name in ("joules", "low", "high"))],
    )
    bounds = base.mark_rule(color=QUIET, strokeWidth=2).encode(x="low:Q", x2="high:Q")
    return alt.layer(bars, bounds)


def task_scores(tasks: Sequence[TaskComparison], first: str, second: str) -> Figure | None:
    """Both arms' scores on each task, with chance as a tick; None where nothing was scored."""
    rows, chances = [], []
    for task in tasks:
        name = task_name(task)
        for arm, value in ((first, task.first), (second, task.second)):
            if value is not None:
                rows.append({"task": name, "arm": arm, "score": value, "metric": task.metric})
        if task.chance is not None:
            chances.append({"task": name, "score": task.chance})
    if not rows:
        return None
    order = [task_name(task) for task in tasks]
    y = alt.Y("task:N", title=None, sort=order, axis=alt.Axis(labelLimit=260))
    x = alt.X("score:Q", title="score", scale=alt.Scale(domainMin=0, nice=True), axis=PERCENT)
    dots = (
        alt.Chart(pd.DataFrame(rows), title="Scores (grey tick: chance)", height=alt.Step(30))
        .mark_circle(size=130, opacity=0.9)
        .encode(
            x=x,
            y=y,
            color=alt.Color("arm:N", scale=colour_scale([first, second]), legend=alt.Legend(title=None, orient="top")),
            tooltip=["task:N", "arm:N", "metric:N", alt.Tooltip("score:Q", format=".3f")],
        )
    )
    if not chances:
        return alt.layer(dots)
    return alt.layer(
        alt.Chart(pd.DataFrame(chances)).mark_tick(color=QUIET, thickness=2, size=18).encode(x=x, y=y), dots
    )


def task_differences(tasks: Sequence[TaskComparison], first: str, second: str) -> Figure | None:
    """Difference of each task with its 95 % interval about a line at zero, coloured where Holm's correction leaves an
    arm the better one; None where none is known.
    """
    rows = [
        {
            "task": task_name(task),
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
    base = alt.Chart(pd.DataFrame(rows), title=f"{first} minus {second}, 95 % interval", height=alt.Step(30)).encode(
        y=alt.Y("task:N", title=None, sort=[task_name(task) for task in tasks], axis=alt.Axis(labelLimit=260)),
        color=alt.Color("better:N", scale=colours, legend=alt.Legend(title="better", orient="top", titleOrient="left")),
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


def _legend(title: str | None) -> alt.Legend:
    return alt.Legend(title=title, orient="top", titleOrient="left", symbolType="stroke")


def task_name(task: TaskComparison) -> str:
    """A task as it is called on the pages."""
    return f"{task.task.replace('_', ' ')}, {task.num_shots}-shot"
