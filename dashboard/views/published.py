"""The published costs beside those of a study: how far off a small run is, and whether the ratios agree."""

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.parts import drawing
from glam.analysis.formats import ratio
from glam.analysis.published_rows import Row, arm_cost, cost_rows
from glam.analysis.published_table import LEGEND, shown
from glam.analysis.verdict import Verdict
from glam.energy.grid import GridIntensity
from glam.published import PUBLISHED_COSTS


def draw_published(verdict: Verdict, pair: tuple[str, str], grid: GridIntensity | None = None) -> None:
    """Costs of a run of both arms, of GPT-3, GLaM and GLM-130B, with the ratios of each pair; emissions take a grid.

    Draws nothing for a verdict that holds no run of an arm.
    """
    runs = {name: [run.summary for run in verdict.runs if run.summary.arm == name] for name in pair}
    if not all(runs.values()):
        return
    rows = cost_rows({name: arm_cost(summaries) for name, summaries in runs.items()}, [pair], grid)
    st.subheader("Beside published runs", anchor=False)
    drawing.table(pd.DataFrame([_line(row, pair) for row in rows]), "published costs", full=True)
    st.caption(
        words.plain(
            f"{LEGEND}. Of an arm one run, the mean over its seeds, at the machine and without a site's overhead."
        )
    )


def _line(row: Row, pair: tuple[str, str]) -> dict[str, str]:
    """A row as text: the arms and their ratio first."""
    ours = f"{pair[0]} / {pair[1]}"
    published = [cost.title for cost in PUBLISHED_COSTS]
    return {
        "": row.quantity,
        **{name: shown(row, row.cells[name]) for name in pair},
        ours: ratio(row.ratios[ours]),
        **{title: shown(row, row.cells[title]) for title in published},
        **{name: ratio(value) for name, value in row.ratios.items() if name != ours},
    }
