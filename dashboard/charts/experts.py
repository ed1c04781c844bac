"""Which experts were chosen, as heat maps about the mean load."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dashboard.charts.common import Figure

MOST_COLUMNS = 120
"""Of a heat map over steps."""
LOAD_COLOURS = alt.Scale(domain=[0, 1, 4], range=["#0B3C6F", "#C9CED6", "#B3261E"], clamp=True)
"""Idle, balanced, overloaded; the same on every map."""
LEGEND = alt.Legend(
    title="load over the mean", orient="top", direction="horizontal", gradientLength=180, values=[0, 1, 2, 3, 4]
)


def load_over_steps(step_S: NDArray[np.float64], over_mean_SE: NDArray[np.float64], layer: int) -> Figure | None:
    """Load of each expert of one mixture layer over training."""
    if len(step_S) < 2:
        return None
    # Means of neighbours, so that no step stands for many.
    parts = np.array_split(np.arange(len(step_S)), min(MOST_COLUMNS, len(step_S)))
    num_experts = over_mean_SE.shape[1]
    ends = np.array([step_S[part[-1]] for part in parts])
    frame = pd.DataFrame(
        {
            "from": np.repeat(np.concatenate([[0], ends[:-1]]), num_experts),
            "to": np.repeat(ends, num_experts),
            "expert": np.tile(np.arange(1, num_experts + 1), len(parts)),
            "load": np.concatenate([np.nanmean(over_mean_SE[part], axis=0) for part in parts]),
        }
    )
    return (
        alt.Chart(frame, title=f"Load of each expert, mixture layer {layer}", height=_height(num_experts))
        .mark_rect()
        .encode(
            x=alt.X("from:Q", title="step", axis=alt.Axis(format="~s", grid=False), scale=alt.Scale(nice=False)),
            x2="to:Q",
            y=_experts("expert", num_experts),
            color=alt.Color("load:Q", scale=LOAD_COLOURS, legend=LEGEND),
            stroke=alt.Stroke("load:Q", scale=LOAD_COLOURS, legend=None),  # else the background shines through seams
            tooltip=[
                "expert:O",
                alt.Tooltip("from:Q", format=",.0f"),
                alt.Tooltip("to:Q", format=",.0f"),
                alt.Tooltip("load:Q", title="load over the mean", format=".2f"),
            ],
        )
    )


def load_by_layer(over_mean_LE: NDArray[np.float64], title: str) -> Figure:
    """Every expert of every mixture layer at one time."""
    num_layers, num_experts = over_mean_LE.shape
    frame = pd.DataFrame(
        {
            "layer": np.repeat(np.arange(1, num_layers + 1), num_experts),
            "expert": np.tile(np.arange(1, num_experts + 1), num_layers),
            "load": over_mean_LE.ravel(),
        }
    )
    return (
        alt.Chart(frame, title=title, height=alt.Step(22))
        .mark_rect()
        .encode(
            x=alt.X("expert:O", title="expert", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y("layer:O", title="mixture layer"),
            color=alt.Color("load:Q", scale=LOAD_COLOURS, legend=LEGEND),
            stroke=alt.Stroke("load:Q", scale=LOAD_COLOURS, legend=None),  # else the background shines through seams
            tooltip=["layer:O", "expert:O", alt.Tooltip("load:Q", title="load over the mean", format=".2f")],
        )
    )


def shares_by(group: str, names: Sequence[str], share_GE: NDArray[np.float64], layer: int) -> Figure:
    """Of the choices of each group's tokens, the share of each expert of one mixture layer.

    `group` is what they are grouped by, such as `task`.
    """
    num_groups, num_experts = share_GE.shape
    frame = pd.DataFrame(
        {
            group: np.repeat(np.array(names, dtype=object), num_experts),
            "expert": np.tile(np.arange(1, num_experts + 1), num_groups),
            "share": share_GE.ravel(),
            "load": share_GE.ravel() * num_experts,
        }
    )
    return (
        alt.Chart(frame, title=f"Experts by {group}, mixture layer {layer}", height=alt.Step(22))
        .mark_rect()
        .encode(
            x=alt.X("expert:O", title="expert", axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y(f"{group}:N", title=None, sort=list(names), axis=alt.Axis(labelLimit=170)),
            color=alt.Color("load:Q", scale=LOAD_COLOURS, legend=LEGEND),
            stroke=alt.Stroke("load:Q", scale=LOAD_COLOURS, legend=None),  # else the background shines through seams
            tooltip=[
                f"{group}:N",
                "expert:O",
                alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("load:Q", title="over an equal share", format=".2f"),
            ],
        )
    )


def _height(num_experts: int) -> int:
    """Of the whole figure, with title and legend."""
    return 210 + max(100, min(480, 14 * num_experts))


def _experts(name: str, num_experts: int) -> alt.Y:
    return alt.Y(f"{name}:O", title="expert", axis=alt.Axis(labelOverlap=True), sort=list(range(1, num_experts + 1)))
