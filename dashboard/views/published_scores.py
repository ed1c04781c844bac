"""Scores beside those in print, each with how sure we are of it."""

from collections.abc import Sequence
from typing import cast, get_args

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.charts.tasks import Score, task_scores
from dashboard.parts import drawing
from dashboard.parts.tasks import name_of, setting_of, short_names, shots_name
from dashboard.queries.scores import ScoreEntry, Subject
from glam.config import Shots
from glam.published import Metric, Model, PublishedScore, published_score

MODELS: dict[Model, str] = {
    "glam_64b_64e": "GLaM 64B/64E",
    "gpt3_175b": "GPT-3",
    "gopher_280b": "Gopher",
    "megatron_turing_nlg_530b": "Megatron-Turing NLG",
}


def draw(subjects: Sequence[Subject], found: Sequence[Sequence[ScoreEntry]], shots: Shots) -> None:
    """Those of the tasks scored here that are in print."""
    names, setting = short_names(subjects), setting_of(shots)
    dots, rows = [], []
    for task, metric in sorted({key for entries in found for entry in entries for key in _metrics(entry)}):
        published = {name: published_score(model, task, setting, metric) for model, name in MODELS.items()}
        if not any(published.values()):
            continue
        title = f"{name_of(task)}, {metric}" if metric != "accuracy" else name_of(task)
        row = {"Task": name_of(task), "Metric": metric}
        for name, entries in zip(names, found, strict=True):
            value = _ours(entries, task, metric)
            row[name] = "not scored" if value is None else words.percent(value)
            if value is not None:
                dots.append(Score(title, name, value, how=metric))
        for name, score in published.items():
            row[name] = _shown(score)
            if score is not None:
                dots.append(Score(title, name, score.score / 100, how=f"{metric}, {score.tag}"))
        rows.append(row)
    if not rows:
        drawing.nothing(
            f"None of the tasks scored here at {shots_name(shots)} is in print. The paper's 29, from files:",
            "glam evaluate RUN --tasks all --data DIR",
        )
        return
    drawing.chart(task_scores(dots, [*names, *MODELS.values()]), "beside published", absent="")
    drawing.table(pd.DataFrame(rows), "published scores", full=len(rows) <= 40)
    st.caption(
        "Published scores say how sure we are of them: verified (read off a table in print), recalled (from memory), "
        "doubtful (recalled, and something does not fit). Few-shot ones had as many demonstrations as stands behind "
        "them. Their models were asked in other words than ours."
    )


def _metrics(entry: ScoreEntry) -> list[tuple[str, Metric]]:
    """Task and each of its metrics that tables in print have."""
    if entry.result is None:
        return []
    names = dict.fromkeys((entry.result.metric, *entry.result.others))
    return [(entry.task, cast(Metric, name)) for name in names if name in get_args(Metric)]


def _ours(entries: Sequence[ScoreEntry], task: str, metric: str) -> float | None:
    for entry in entries:
        if entry.task == task and entry.result is not None:
            return entry.result.value if entry.result.metric == metric else entry.result.others.get(metric)
    return None


def _shown(score: PublishedScore | None) -> str:
    if score is None:
        return "not in print"
    few = f", {score.num_shots} shots" if score.setting == "few" and score.num_shots is not None else ""
    return f"{score.score:.1f} % ({score.tag}{few})"
