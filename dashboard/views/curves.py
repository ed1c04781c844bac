"""Loss against what it cost: the two panels that several pages show."""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import charts
from dashboard.charts import AXIS_TITLES, Axis


def choose_axis() -> Axis:
    """Which cost the curves are drawn against."""
    by_title: dict[str, Axis] = {title: axis for axis, title in AXIS_TITLES.items()}
    chosen = st.segmented_control("Against", list(by_title), default=AXIS_TITLES["tokens"])
    return by_title[chosen or AXIS_TITLES["tokens"]]


def draw_curves(
    training: Sequence[Mapping[str, object]],
    heldout: Sequence[Mapping[str, object]],
    arms: Sequence[str],
    axis: Axis,
) -> None:
    """Held-out and training loss side by side, below each other on a narrow screen."""
    panels = (
        (heldout, "Held-out loss", True),
        (training, "Training loss (cross-entropy alone)", False),
    )
    for column, (rows, title, points) in zip(st.columns(2), panels, strict=True):
        chart = charts.loss_curves(rows, arms, axis, title=title, points=points)
        if chart is None:
            column.info(f"{title}: unknown against {AXIS_TITLES[axis]}.")
        else:
            column.altair_chart(chart)
