"""Experts: who was chosen, over training and by the tokens of each task, kind and source."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import words
from dashboard.charts.curves import EXPERT_QUANTITIES, curve_chart, curve_table
from dashboard.charts.experts import load_by_layer, load_over_steps, shares_by
from dashboard.charts.tasks import task_name
from dashboard.parts import choices, drawing
from dashboard.parts.lines import choose_axis, lines_of
from dashboard.parts.runs import choose_run, likely
from dashboard.queries import RunEntry, list_runs, store_root
from dashboard.queries.experts import (
    DEAD_BELOW,
    END_FRACTION,
    OVERLOADED_ABOVE,
    SPECIALIZATION,
    Alarm,
    Loads,
    alarms,
    has_loads,
    read_loads,
    read_specialization,
    task_shares,
)
from dashboard.queries.scores import list_subjects, scores_of

REFRESH_SECONDS = 5
MOST_ALARMS = 12
"""Sentences; of more there is the table."""


def show() -> None:
    """The page."""
    root = store_root()
    st.title("Experts", anchor=False)
    runs = [run for run in list_runs(root) if run.state != "broken"]
    if not runs:
        drawing.nothing(f"Nothing was trained in {root} yet. A sparse model and its dense twin:", "glam run quickstart")
        return
    run = choose_run(_sparse_first(root, runs), "run")
    going = run.state == "running"
    loads = read_loads(root, run.fingerprint)
    if loads.problem:
        st.error(words.plain(f"{run.title} cannot be read: {loads.problem}"))
        return
    if not len(loads.step_S):
        st.info(words.plain(f"{run.title} has no experts: it is dense, or has not logged a step yet."))
        return
    num_layers = loads.load_SLE.shape[1]
    layers = {str(layer): f"Mixture layer {layer}" for layer in range(1, num_layers + 1)}
    layer = int(choices.one_of("Layer", layers, "layer"))
    st.fragment(_over_training, run_every=REFRESH_SECONDS if going else None)(root, run, layer)
    _routing(root, run)
    _by_task(root, run, layer)
    _by_text(root, run, layer)


def _sparse_first(root: Path, runs: list[RunEntry]) -> list[RunEntry]:
    """Runs that have experts before those that have none, the likely ones first."""
    order = {mark: place for place, mark in enumerate(likely(root, runs, len(runs)))}
    return sorted(runs, key=lambda run: (not has_loads(root, run.fingerprint), order.get(run.fingerprint, len(order))))


def _over_training(root: Path, run: RunEntry, layer: int) -> None:
    loads = read_loads(root, run.fingerprint)
    if not len(loads.step_S) or layer > loads.load_SLE.shape[1]:
        return
    _alarm(list(alarms(loads)), loads, run)
    left, right = st.columns([3, 2])
    over_mean_SE = loads.over_mean_SLE[:, layer - 1]
    drawing.chart(
        load_over_steps(loads.step_S, over_mean_SE, layer),
        "load over steps",
        absent="Load over steps: one logged step is too few.",
        place=left,
    )
    drawing.chart(
        load_by_layer(loads.at_end_LE, f"Every mixture layer, last {END_FRACTION:.0%} of the steps"),
        "load by layer",
        absent="",
        data=_loads_table(loads),
        place=right,
    )


def _alarm(found: list[Alarm], loads: Loads, run: RunEntry) -> None:
    """In words: which experts the end of training left idle, or flooded."""
    num_layers, num_experts = loads.load_SLE.shape[1:]
    of = f"{words.some(num_experts, 'expert')} in {words.some(num_layers, 'mixture layer')}"
    span = f"over the last {END_FRACTION:.0%} of {'the steps so far' if run.state != 'complete' else 'the steps'}"
    if not found:
        st.success(
            words.plain(
                f"No expert is dead (below {DEAD_BELOW:g} times its layer's mean load) or overloaded (above "
                f"{OVERLOADED_ABOVE:g} times) {span}: {of}."
            )
        )
        return
    sentences = [alarm.sentence for alarm in found[:MOST_ALARMS]]
    more = f" And {len(found) - MOST_ALARMS} more." if len(found) > MOST_ALARMS else ""
    st.warning(words.plain(f"{len(found)} of {of}, {span}: {' '.join(sentences)}{more}"))


def _loads_table(loads: Loads) -> pd.DataFrame:
    num_layers, num_experts = loads.at_end_LE.shape
    return pd.DataFrame(
        {
            "mixture layer": np.repeat(np.arange(1, num_layers + 1), num_experts),
            "expert": np.tile(np.arange(1, num_experts + 1), num_layers),
            "load over the mean": loads.at_end_LE.ravel(),
        }
    )


def _routing(root: Path, run: RunEntry) -> None:
    st.subheader("Routing", anchor=False)
    axis = choose_axis()
    lines = lines_of(root, [run], "steps")
    for column, (name, quantity) in zip(st.columns(4), EXPERT_QUANTITIES.items(), strict=True):
        drawing.chart(
            curve_chart(lines, axis, quantity, height=300) if lines else None,
            f"{name} against {axis}",
            absent=f"{quantity.title}: unknown of this run.",
            data=curve_table(lines, axis, quantity),
            place=column,
        )


def _by_task(root: Path, run: RunEntry, layer: int) -> None:
    st.subheader("By task", anchor=False)
    subject = next((each for each in list_subjects(root, [run]) if each.run_fingerprint == run.fingerprint), None)
    scores = scores_of(root, subject) if subject is not None else []
    names, rows = [], []
    for score in scores:
        share_LE = task_shares(score)
        if isinstance(share_LE, str):
            st.error(words.plain(f"Experts of {task_name(score.task, score.num_shots)} cannot be read: {share_LE}"))
        elif share_LE is not None and layer <= len(share_LE):
            names.append(task_name(score.task, score.num_shots))
            rows.append(share_LE[layer - 1])
    sizes = {len(row) for row in rows}
    if len(sizes) == 1:
        _shares("task", names, np.array(rows), layer)
    else:
        drawing.nothing(
            "Which experts a task's tokens chose is unknown: no score of this run has counted them. Score it with:",
            f"glam evaluate {shlex.quote(run.name)}",
        )


def _by_text(root: Path, run: RunEntry, layer: int) -> None:
    found = read_specialization(root, run.fingerprint)
    if not isinstance(found, str) and found is not None and layer > found.kinds.share_GLE.shape[1]:
        found = f"it has {words.some(found.kinds.share_GLE.shape[1], 'mixture layer')}, fewer than the run"
    if isinstance(found, str) or found is None:
        st.subheader("By kind of token and by source", anchor=False)
        if found is not None:
            st.error(words.plain(f"{SPECIALIZATION} of {run.title} cannot be read: {found}"))
        elif run.state == "complete":
            st.info("Not counted: trained before these choices were recorded.")
        else:
            st.info("Not counted yet: the last thing that training does.")
        return
    for group, shares in (("kind of token", found.kinds), ("source", found.sources)):
        st.subheader(f"By {group}", anchor=False)
        _shares(group, shares.names, shares.share_GLE[:, layer - 1], layer, num_tokens_G=shares.num_tokens_G)
    st.caption(
        f"{words.some(found.num_tokens, 'token')} of held-out text when training was done; behind each name how many "
        "it has, and few of them say little."
    )


def _shares(
    group: str,
    names: Sequence[str],
    share_GE: NDArray[np.float64],
    layer: int,
    *,
    num_tokens_G: NDArray[np.int64] | None = None,
) -> None:
    table = pd.DataFrame(share_GE, columns=[f"expert {each}" for each in range(1, share_GE.shape[1] + 1)])
    table.insert(0, group, list(names))
    if num_tokens_G is not None:
        table.insert(1, "tokens", num_tokens_G)
        names = [f"{name} · {words.count(count)}" for name, count in zip(names, num_tokens_G.tolist(), strict=True)]
    drawing.chart(shares_by(group, names, share_GE, layer), f"experts by {group}", absent="", data=table)
