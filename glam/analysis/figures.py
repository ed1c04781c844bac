"""A verdict's charts as inline SVG, the same bytes for the same verdict.

Colours are placeholders that become CSS variables, so that the page decides what is light and what is dark.
"""

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, MaxNLocator, NullLocator, ScalarFormatter

from glam.analysis.curves import Axis, cost
from glam.analysis.laws import LAWS
from glam.analysis.verdict import Contrast, RunRecord, ScalingFit, TaskComparison, Verdict

INK, MUTED, GRID = "#010101", "#020202", "#030303"
ARMS = ("#0a0101", "#0a0102", "#0a0103", "#0a0104", "#0a0105", "#0a0106")
VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--line)"} | {
    colour: f"var(--arm-{number})" for number, colour in enumerate(ARMS)
}
STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
}
AXIS_LABELS: dict[Axis, str] = {
    "tokens": "training tokens",
    "flops": "training FLOPs",
    "seconds": "training seconds",
    "joules": "training joules",
}


def loss_chart(verdict: Verdict, arms: Sequence[str], axis: Axis) -> str | None:
    """Held-out loss of some arms against one cost, a thin line a seed; None where none of their runs has that cost."""
    drawn = [(record, _points(record, axis)) for record in verdict.runs if record.summary.arm in arms]
    if not any(points for _, points in drawn):
        return None
    with rc_context(STYLE):
        figure, axes = _canvas(4.6, 3.0)
        for record, points in drawn:
            number = arms.index(record.summary.arm)
            xs, losses = [x for x, _ in points], [loss for _, loss in points]
            style = {"color": ARMS[number % len(ARMS)], "linestyle": "-" if number % 2 == 0 else (0, (5, 2))}
            axes.plot(xs, losses, linewidth=1.6, marker="o", markersize=3.2, **style)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlim(left=0)
        axes.set_xlabel(AXIS_LABELS[axis])
        axes.set_ylabel("held-out nats per token")
        return _svg(figure, salt=f"loss-{axis}-{'-'.join(arms)}", label=f"Held-out loss against {AXIS_LABELS[axis]}")


def task_chart(contrast: Contrast, arms: Sequence[str]) -> str | None:
    """Both arms' accuracy on every task setting, with chance, in the colours of their curves among `arms`; None where
    there is no task.
    """
    tasks = [task for task in contrast.tasks if task.first is not None and task.second is not None]
    if not tasks:
        return None
    with rc_context(STYLE):
        figure, axes = _canvas(9.4, 0.45 + 0.5 * len(tasks))
        for side, (arm, values) in enumerate(
            ((contrast.first, [task.first for task in tasks]), (contrast.second, [task.second for task in tasks]))
        ):
            places = [row + 0.18 * (2 * side - 1) for row in range(len(tasks))]
            widths = [100 * value for value in values if value is not None]
            axes.barh(places, widths, height=0.32, color=ARMS[arms.index(arm) % len(ARMS)])
        for row, task in enumerate(tasks):
            if task.chance is not None:
                axes.plot([100 * task.chance] * 2, [row - 0.42, row + 0.42], color=INK, linewidth=1.4)
        axes.set_xlim(0, 100)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("accuracy in percent; the upright line is chance")
        _task_rows(axes, tasks)
        return _svg(
            figure, salt=f"tasks-{contrast.first}-{contrast.second}", label="Accuracy of both arms on every task"
        )


def difference_chart(contrast: Contrast) -> str | None:
    """Paired differences with their intervals, muted where Holm's correction leaves no decision; None where none is
    known.
    """
    tasks = [task for task in contrast.tasks if task.difference.value is not None]
    if not tasks:
        return None
    with rc_context(STYLE):
        figure, axes = _canvas(9.4, 0.45 + 0.4 * len(tasks))
        axes.axvline(0, color=INK, linewidth=1.0)
        for row, task in enumerate(tasks):
            low, high, value = task.difference.low, task.difference.high, task.difference.value
            colour = MUTED if task.better == "undecided" else INK
            if low is not None and high is not None:
                axes.plot([100 * low, 100 * high], [row, row], color=colour, linewidth=2.2, solid_capstyle="round")
            axes.plot([100 * (value or 0.0)], [row], marker="o", markersize=5, color=colour)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{contrast.first} minus {contrast.second}, percentage points, 95 % interval; grey: undecided")
        _task_rows(axes, tasks)
        return _svg(
            figure,
            salt=f"difference-{contrast.first}-{contrast.second}",
            label="Paired differences with 95 % intervals",
        )


def scaling_chart(fits: Sequence[ScalingFit]) -> str | None:
    """The ends of runs and the laws through them, a colour a law; all `fits` are of one axis. None without a loss."""
    known = [[(point.x, point.loss) for point in fit.points if point.loss is not None] for fit in fits]
    if not any(known):
        return None
    in_flops = fits[0].axis == "flops"
    with rc_context(STYLE):
        figure, axes = _canvas(9.4, 3.4)
        axes.set_xscale("log", base=10 if in_flops else 2)
        for number, (fit, points) in enumerate(zip(fits, known, strict=True)):
            colour, xs = ARMS[number % len(ARMS)], [x for x, _ in points]
            axes.plot(xs, [loss for _, loss in points], linestyle="none", marker="o", markersize=4.5, color=colour)
            if fit.parameters:
                law, between = LAWS[fit.formula], np.geomspace(min(xs), max(xs), 60)
                values = np.array([fit.parameters[name].value for name in law.parameters])
                x = np.log(between / fit.reference_flops) if fit.reference_flops is not None else np.log2(between)
                axes.plot(between, law.predict(values, x), linewidth=1.4, color=colour)
        numbers = sorted({x for points in known for x, _ in points})
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if in_flops else FixedLocator(numbers))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(EngFormatter(sep="") if in_flops else ScalarFormatter())
        label = "training FLOPs of the run" if in_flops else "number of experts; 1 is dense"
        axes.set_xlabel(label)
        axes.set_ylabel("held-out nats per token")
        return _svg(figure, salt=f"scaling-{fits[0].axis}", label=f"Held-out loss over sizes against {label}")


def _points(record: RunRecord, axis: Axis) -> list[tuple[float, float]]:
    spent = [(cost(point, axis, record.summary.flops_per_token), point.loss) for point in record.heldout]
    return [(x, loss) for x, loss in spent if x is not None]


def _task_rows(axes: Axes, tasks: Sequence[TaskComparison]) -> None:
    axes.set_yticks(range(len(tasks)), [f"{task.title}, {task.num_shots}-shot" for task in tasks])
    axes.set_ylim(len(tasks) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _canvas(width_inches: float, height_inches: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width_inches, height_inches + 0.4), layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure, *, salt: str, label: str) -> str:
    """The figure without date, prolog and fixed colours; `salt` keeps ids of two charts on one page apart."""
    out = io.StringIO()
    with rc_context({"svg.hashsalt": salt}):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text, prefix = out.getvalue(), re.sub(r"[^a-z0-9]+", "-", salt.lower())
    text = text[text.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*pt"| height="[^"]*pt"', r"\1", text, count=2)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    ids = dict.fromkeys(re.findall(r'id="([^"]+)"', text))
    for number, name in enumerate(ids):
        text = re.sub(rf'(id="|#){re.escape(name)}(?=["\)])', rf"\g<1>{prefix}-{number}", text)
    return text
