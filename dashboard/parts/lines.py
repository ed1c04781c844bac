"""Runs as lines of a chart, and what they are drawn against."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from dashboard.charts.common import AXIS_TITLES, Axis
from dashboard.charts.curves import Line
from dashboard.parts import choices
from dashboard.queries import RunEntry
from dashboard.queries.curves import read_curves


def lines_of(root: Path, runs: Sequence[RunEntry], of: Literal["steps", "heldout"]) -> list[Line]:
    """One line a run that has something to show; runs of one arm and seed are told apart by their titles."""
    twice = {pair for pair, count in Counter((run.arm, run.seed) for run in runs).items() if count > 1}
    lines = []
    for run in runs:
        curves = read_curves(root, run.fingerprint)
        curve = curves.steps if of == "steps" else curves.heldout
        if curve.num_lines:
            known = (run.arm, run.seed) not in twice and run.seed is not None
            lines.append(
                Line(
                    run=run.title,
                    arm=run.arm,
                    seed=str(run.seed) if known else run.title,
                    columns=curve.columns,
                    flops_per_token=run.flops_per_token,
                )
            )
    return lines


def choose_axis() -> Axis:
    """Which cost curves are drawn against."""
    titles: dict[str, str] = {**AXIS_TITLES}
    chosen = choices.one_of_few("Against", titles, "axis", default="tokens")
    return next(axis for axis in AXIS_TITLES if axis == chosen)
