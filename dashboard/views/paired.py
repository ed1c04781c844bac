"""Paired tests of two arms, as the study that judges them has them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.charts.tasks import task_differences, task_name
from dashboard.parts import drawing
from dashboard.queries import Broken, list_verdicts, read_verdict
from dashboard.queries.scores import Subject
from glam.analysis.formats import p_value
from glam.analysis.sentences import detectable, winner_name
from glam.analysis.verdict import Contrast, TaskComparison


def draw(root: Path, subjects: Sequence[Subject]) -> None:
    """Differences with intervals and Holm's correction; over all seeds of the two arms."""
    if len(subjects) < 2:
        st.info("Choose a second model.")
        return
    found = _contrast(root, subjects)
    if found is None:
        drawing.nothing(
            f"No study judges {subjects[0].arm} against {subjects[1].arm} in these runs. A study of both is judged by:",
            "glam compare RECIPE",
        )
        return
    study, contrast = found
    st.caption(words.plain(f"From the study {study}: {contrast.first} against {contrast.second}, over all its seeds."))
    drawing.chart(
        task_differences(contrast.tasks, contrast.first, contrast.second),
        "task differences",
        absent="No task was scored for both.",
    )
    if contrast.tasks:
        raw = pd.DataFrame([_numbers(task) for task in contrast.tasks])
        drawing.table(_decisions(contrast), "decisions", raw=raw, full=len(contrast.tasks) <= 40)
        st.caption(
            words.plain(
                "p: two-sided, of no difference, from paired items. Holm's p is adjusted for all settings of the "
                "study; at most 0.05 names an arm. Would show: the smallest difference that the test, were it the "
                "only one, finds with 80 % power at 5 %."
            )
        )


def _contrast(root: Path, subjects: Sequence[Subject]) -> tuple[str, Contrast] | None:
    """The latest study that has both runs and compares their arms."""
    arms = {subject.arm for subject in subjects}
    for entry in list_verdicts(root):
        if not {subject.run_fingerprint for subject in subjects} <= entry.runs:
            continue
        try:
            verdict = read_verdict(root, entry.fingerprint)
        except Broken:
            continue
        for contrast in verdict.contrasts:
            if {contrast.first, contrast.second} == arms:
                return entry.title, contrast
    return None


def _decisions(contrast: Contrast) -> pd.DataFrame:
    """One row a task setting: how sure it is, and who is better or why nobody is."""
    return pd.DataFrame(
        [
            [
                task_name(task.title, task.num_shots),
                _difference(task),
                p_value(task.p_value),
                p_value(task.p_value_adjusted),
                detectable(task),
                winner_name(contrast, task),
            ]
            for task in contrast.tasks
        ],
        columns=["Task", f"{contrast.first} − {contrast.second}, points", "p", "Holm's p", "Would show", "Better"],
    )


def _difference(task: TaskComparison) -> str:
    found = task.difference
    value, low, high = (None if end is None else 100 * end for end in (found.value, found.low, found.high))
    return words.interval(value, low, high, digits=1)


def _numbers(task: TaskComparison) -> dict[str, object]:
    difference = task.difference.model_dump(include={"value", "low", "high", "num_items", "num_clusters"})
    own = task.model_dump(exclude={"schema_version", "difference", "p_value_per_seed", "discordant_pairs_per_seed"})
    return {**own, **{f"difference_{name}": value for name, value in difference.items()}}
