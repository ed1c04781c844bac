"""Curves of runs against what they cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.charts.common import AXIS_TITLES, COUNT, Axis, Figure, colour_scale, stroke_legend

MAX_POINTS = 6_000
"""Of a chart, over all its lines."""
FEWEST_POINTS = 100
"""Of a line, however many there are."""
SHORT_CURVE = 60
"""Points up to which each is marked, and seeds differ by dashes."""
FAINTEST = 0.35
"""Of seeds of a longer one, which differ in opacity."""
UNSHOWN_FRACTION = 0.15
"""Of a run: its first, steep part would press the rest of the curve flat, so the loss axis leaves it out."""
COST_FIELDS: Mapping[Axis, str] = {
    "tokens": "tokens",
    "flops": "tokens",
    "seconds": "elapsed_seconds",
    "joules": "energy_joules",
}


@dataclass(frozen=True)
class Quantity:
    """What may be drawn of a run."""

    title: str
    """Of the chart."""
    unit: str
    """Of its upright axis."""
    field: str
    of: Literal["steps", "heldout"] = "steps"
    falls: bool = False
    """Whether it begins far above where it ends, as a loss does."""
    format: str = "~s"
    tooltip: str = ".4~g"


QUANTITIES: Mapping[str, Quantity] = {
    "heldout": Quantity("Held-out loss", "nats per token", "loss", "heldout", falls=True, format="~g", tooltip=".4f"),
    "loss": Quantity(
        "Training loss (cross-entropy alone)", "nats per token", "loss", falls=True, format="~g", tooltip=".4f"
    ),
    "learning_rate": Quantity("Learning rate", "learning rate", "learning_rate", format="~g"),
    "grad_norm": Quantity("Gradient norm", "norm before clipping", "grad_norm", falls=True, format="~g"),
    "tokens_per_second": Quantity("Speed", "tokens per second", "tokens_per_second"),
    "mfu": Quantity("Model FLOPs utilisation", "share of the peak", "mfu", format=".0%", tooltip=".1%"),
    "skipped_steps": Quantity("Steps that were skipped so far", "steps", "skipped_steps", format="d", tooltip="d"),
}
EXPERT_QUANTITIES: Mapping[str, Quantity] = {
    "router_entropy": Quantity("Entropy of the router", "nats", "router_entropy", format="~g"),
    "dropped_fraction": Quantity(
        "Choices dropped for want of capacity", "share of choices", "dropped_fraction", format=".1%", tooltip=".2%"
    ),
    "load_imbalance": Quantity("Busiest expert", "load over the mean load", "load_imbalance", falls=True, format="~g"),
    "balance_loss": Quantity("Balance loss", "1 when balanced", "balance_loss", format="~g"),
}


@dataclass(frozen=True)
class Line:
    """One run's columns, by field."""

    run: str
    arm: str
    seed: str
    columns: Mapping[str, NDArray[np.float64]]
    flops_per_token: float | None


def curve_chart(
    lines: Sequence[Line], axis: Axis, quantity: Quantity, *, smoothing: float = 0.0, height: int = 420
) -> Figure | None:
    """A quantity against a cost, one line a run; None where nothing is known of any run.

    `smoothing` from 0 to below 1 is the weight that an exponential mean keeps at each of the points shown; the points
    themselves then stand behind it.
    """
    frames = [_frame(line, axis, quantity, max(FEWEST_POINTS, MAX_POINTS // len(lines)), smoothing) for line in lines]
    frames = [frame for frame in frames if not frame.empty]
    if not frames:
        return None
    frame = pd.concat(frames, ignore_index=True)
    arms = list(dict.fromkeys(line.arm for line in lines))
    marked = max(len(each) for each in frames) <= SHORT_CURVE
    base = alt.Chart(frame, title=quantity.title, height=height).encode(
        x=alt.X("x:Q", title=AXIS_TITLES[axis], axis=COUNT),
        color=alt.Color("arm:N", scale=colour_scale(arms), legend=stroke_legend(None)),
        detail="run:N",
    )
    scale = alt.Scale(domain=_flat_part(frame), nice=False) if quantity.falls else alt.Scale(zero=False)
    y_axis = alt.Axis(format=quantity.format, tickCount=6)
    tooltip = [
        alt.Tooltip("run:N"),
        alt.Tooltip("step:Q", format=",.0f"),
        alt.Tooltip("x:Q", title=AXIS_TITLES[axis], format=".4~s"),
        alt.Tooltip("y:Q", title=quantity.unit, format=quantity.tooltip),
    ]
    strokes = sorted(frame["line"].unique())
    main = base.encode(y=alt.Y("mean:Q", title=quantity.unit, scale=scale, axis=y_axis), tooltip=tooltip)
    drawn = main.mark_line(strokeWidth=2, clip=True)
    if len(strokes) > 1 and marked:
        drawn = drawn.encode(strokeDash=alt.StrokeDash("line:N", legend=stroke_legend("seed")))
    elif len(strokes) > 1:  # dashes along thousands of points take a browser a second
        fading = alt.Scale(domain=strokes, range=np.linspace(1, FAINTEST, len(strokes)).round(2).tolist())
        drawn = drawn.encode(opacity=alt.Opacity("line:N", scale=fading, legend=stroke_legend("seed")))
    if smoothing:
        behind = base.mark_line(strokeWidth=1, opacity=0.25, clip=True)
        drawn = behind.encode(y=alt.Y("y:Q", title=quantity.unit, scale=scale, axis=y_axis)) + drawn
    if marked:
        return alt.layer(drawn, main.mark_circle(size=36, opacity=1, clip=True))
    return alt.layer(drawn)


def curve_table(lines: Iterable[Line], axis: Axis, quantity: Quantity) -> pd.DataFrame:
    """The same points as a table."""
    frames = [_frame(line, axis, quantity, MAX_POINTS, 0.0) for line in lines]
    frames = [frame for frame in frames if not frame.empty]
    if not frames:
        return pd.DataFrame()
    table = pd.concat(frames, ignore_index=True).reindex(columns=["run", "arm", "seed", "step", "x", "y"])
    return table.rename(columns={"x": AXIS_TITLES[axis], "y": f"{quantity.title}, {quantity.unit}"})


def _frame(line: Line, axis: Axis, quantity: Quantity, most: int, smoothing: float) -> pd.DataFrame:
    """Points that are known, evenly thinned."""
    times = line.flops_per_token if axis == "flops" else 1.0
    if not line.columns or times is None:
        return pd.DataFrame()
    frame = pd.DataFrame(
        {
            "step": line.columns["step"],
            "x": line.columns[COST_FIELDS[axis]] * times,
            "y": line.columns[quantity.field],
        }
    )
    frame = frame[np.isfinite(frame["x"]) & np.isfinite(frame["y"])]
    if len(frame) > most:
        frame = frame.iloc[np.round(np.linspace(0, len(frame) - 1, most)).astype(int)]
    frame = frame.assign(run=line.run, arm=line.arm, seed=line.seed, line=line.seed)
    return frame.assign(mean=frame["y"].ewm(alpha=1 - smoothing).mean() if smoothing else frame["y"])


def _flat_part(frame: pd.DataFrame) -> list[float]:
    """Ends of the upright axis: those of the curves after UNSHOWN_FRACTION of the cost."""
    shown = frame.loc[frame["x"] >= UNSHOWN_FRACTION * frame["x"].max(), "y"]
    # One point far above the rest, as a jump of the loss is, may leave the picture.
    low, high = float(shown.min()), float(shown.quantile(0.999))
    margin = 0.05 * (high - low) + 0.002 * max(abs(high), 1e-9)
    return [low - margin, high + margin]
