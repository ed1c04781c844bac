"""Two runs side by side, finished or not: curves and costs, no verdict."""

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import charts, words
from dashboard.queries import RunEntry, read_curves
from dashboard.views.curves import choose_axis, draw_curves


def show(root: Path, runs: list[RunEntry]) -> None:
    """Two choices, then what is known of both."""
    readable = [run for run in runs if run.state != "broken"]
    left, right = st.columns(2)
    first = left.selectbox("First run", readable, format_func=lambda run: run.title)
    rest = [run for run in readable if run.fingerprint != first.fingerprint]
    second = right.selectbox("Second run", rest, format_func=lambda run: run.title)
    st.caption("Two runs chosen by hand: their curves, no verdict. `glam compare` judges the arms of a study.")
    training, heldout, names = [], [], []
    for run in (first, second):
        name = _name(run, names)
        names.append(name)
        curves = read_curves(root, run.fingerprint)
        if curves is None:
            continue
        flops = run.summary.flops_per_token if run.summary else None
        seed = run.summary.seed if run.summary else 0
        training += charts.curve_rows(name, seed, curves.steps, flops)
        heldout += charts.curve_rows(name, seed, curves.heldout, flops)
    draw_curves(training, heldout, names, choose_axis())
    st.dataframe(_table([(name, run) for name, run in zip(names, (first, second), strict=True)]), hide_index=True)


def _name(run: RunEntry, taken: list[str]) -> str:
    """The arm, which gives the run its colour, or the run's name where both are of one arm."""
    arm = run.summary.arm if run.summary else run.name.rpartition("-s")[0] or run.name
    return arm if arm not in taken else f"{run.name} {run.fingerprint[:6]}"


def _table(runs: list[tuple[str, RunEntry]]) -> pd.DataFrame:
    lines: list[list[str]] = []
    for title, show_value in (
        ("State", lambda run: run.state),
        ("Steps", lambda run: words.UNKNOWN if run.last is None else str(run.last.step)),
        ("Training loss, nats per token", lambda run: words.number(run.last.loss if run.last else None)),
        ("Held-out loss, nats per token", lambda run: words.number(run.summary.heldout_loss if run.summary else None)),
        ("Parameters", lambda run: words.count(run.summary.total_params if run.summary else None)),
        ("Training time", lambda run: words.duration(run.last.elapsed_seconds if run.last else None)),
        ("Energy", lambda run: words.energy(run.last.energy_joules if run.last else None)),
    ):
        lines.append([title, *(show_value(run) for _, run in runs)])
    return pd.DataFrame(lines, columns=["", *(name for name, _ in runs)])
