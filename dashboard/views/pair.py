"""Two runs side by side, finished or not: what sets their configurations apart, curves and costs, no verdict."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.charts.common import AXIS_TITLES
from dashboard.charts.curves import QUANTITIES, Line, curve_chart, curve_table
from dashboard.parts import choices, drawing
from dashboard.parts.lines import choose_axis, lines_of
from dashboard.parts.runs import likely_pair
from dashboard.queries import RunEntry
from glam.study import changed_fields

MOST_CHARACTERS = 120


def draw(root: Path, runs: Sequence[RunEntry]) -> None:
    """Two choices of at least two runs, then what is known of both."""
    by_mark = {run.fingerprint: run for run in runs}
    titles = {mark: run.title for mark, run in by_mark.items()}
    left, right = st.columns(2)
    likely = likely_pair(root, runs)
    assert likely is not None, "there are two"
    first = by_mark[choices.one_of("First run", titles, "one", default=likely[0].fingerprint, place=left)]
    rest = {mark: title for mark, title in titles.items() if mark != first.fingerprint}
    second = by_mark[choices.one_of("Second run", rest, "other", default=likely[1].fingerprint, place=right)]
    st.caption("Two runs chosen by hand: their curves, no verdict. `glam compare` judges the arms of a study.")
    _differences(first, second)
    axis = choose_axis()
    for column, name in zip(st.columns(2), ("heldout", "loss"), strict=True):
        quantity = QUANTITIES[name]
        lines = _named(lines_of(root, [first, second], quantity.of), (first, second))
        drawing.chart(
            curve_chart(lines, axis, quantity) if lines else None,
            f"pair, {name} against {axis}",
            absent=f"{quantity.title}: unknown against {AXIS_TITLES[axis]}.",
            data=curve_table(lines, axis, quantity),
            place=column,
        )
    drawing.table(_table((first, second)), "pair", full=True)


def names_of(runs: Sequence[RunEntry]) -> list[str]:
    """Arms, which give runs their colours, or titles where both are of one arm."""
    arms = [run.arm for run in runs]
    return arms if len(set(arms)) == len(arms) else [run.title for run in runs]


def _named(lines: Sequence[Line], runs: Sequence[RunEntry]) -> list[Line]:
    """The lines under the names of `names_of`, in one stroke."""
    names = dict(zip((run.title for run in runs), names_of(runs), strict=True))
    return [Line(each.run, names[each.run], "", each.columns, each.flops_per_token) for each in lines]


def _differences(first: RunEntry, second: RunEntry) -> None:
    """Every field in which the configurations differ, and what else the runs read."""
    if not first.config or not second.config:
        st.info(
            "The configuration of one of these runs is unknown: it is broken, or open and from before that was kept."
        )
        return
    one, two = names_of((first, second))
    rows = [
        {"Field": path, one: _cut(old), two: _cut(new)}
        for path, old, new in changed_fields(first.config, second.config)
    ]
    for kind in ("shards", "heldout", "tokenizers"):
        reads = [next((name for name in run.reads if name.startswith(f"{kind}/")), "") for run in (first, second)]
        if reads[0] != reads[1]:
            rows.append({"Field": f"reads {kind}", one: reads[0], two: reads[1]})
    if rows:
        drawing.table(pd.DataFrame(rows), "configuration difference", full=len(rows) <= 30)
    else:
        st.info("The two have the same configuration and read the same folders.")


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"


def _table(runs: Sequence[RunEntry]) -> pd.DataFrame:
    lines: list[tuple[str, Callable[[RunEntry], str]]] = [
        ("State", lambda run: run.state),
        ("Steps", lambda run: words.UNKNOWN if run.num_steps is None else f"{run.num_steps:,}"),
        ("Training loss, nats per token", lambda run: words.number(run.loss)),
        ("Held-out loss, nats per token", lambda run: words.number(run.summary.heldout_loss if run.summary else None)),
        ("Parameters", lambda run: words.count(run.summary.total_params if run.summary else None)),
        ("Training time", lambda run: words.duration(run.elapsed_seconds)),
        ("Energy", lambda run: words.energy(run.energy_joules)),
    ]
    rows = [[title, *(shown(run) for run in runs)] for title, shown in lines]
    return pd.DataFrame(rows, columns=["", *names_of(runs)])
