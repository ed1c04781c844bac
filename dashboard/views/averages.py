"""The paper's averages over its 29 tasks, of models here and as published."""

from collections.abc import Callable, Sequence
from typing import get_args

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.parts import drawing
from dashboard.parts.tasks import setting_of, short_names
from dashboard.queries.scores import ScoreEntry, Subject
from glam.config import Shots
from glam.evaluation.averages import Average, Averages, averages, scores_at
from glam.evaluation.paper import Category, Group
from glam.published import AverageOf, Model, published_average

PUBLISHED: dict[Model, str] = {"glam_64b_64e": "GLaM 64B/64E", "gpt3_175b": "GPT-3"}
Pick = Callable[[Averages], Average]


def _group(name: Group) -> Pick:
    return lambda found: found.groups[name]


def _category(name: Category) -> Pick:
    return lambda found: found.categories[name]


ROWS: tuple[tuple[str, AverageOf | None, Pick], ...] = (
    ("All", "all", lambda found: found.overall),
    ("NLG, written answers", "NLG", _group("NLG")),
    ("NLU, chosen answers", "NLU", _group("NLU")),
    *((name, None, _category(name)) for name in get_args(Category)),
)
"""(title, what the paper calls it where it prints it, which of ours)."""


def draw(subjects: Sequence[Subject], found: Sequence[Sequence[ScoreEntry]], shots: Shots) -> None:
    """A row an average; one that lacks an entry is unknown and says what it lacks."""
    names, setting = short_names(subjects), setting_of(shots)
    ours = [averages(scores_at([entry.result for entry in entries if entry.result], shots)) for entries in found]
    rows = []
    for title, of, pick in ROWS:
        row = {"Average": title}
        for name, each in zip(names, ours, strict=True):
            row[name] = _shown(pick(each))
        for model, published in PUBLISHED.items():
            known = published_average(model, of, setting) if of is not None else None
            row[published] = "not in print" if known is None else f"{known.score:.1f} % ({known.tag})"
        rows.append(row)
    drawing.table(pd.DataFrame(rows), "averages", full=True)
    lacking = [(name, each.overall) for name, each in zip(names, ours, strict=True) if each.overall.missing]
    for name, overall in lacking:
        tasks = ", ".join(dict.fromkeys(entry.task for entry in overall.missing))
        st.caption(words.plain(f"{name} lacks {len(overall.missing)} of {overall.num_entries} entries: {tasks}."))
    if lacking:
        drawing.nothing(
            "An average that lacks an entry is unknown, never the mean of the others. All tasks of the paper:",
            "glam evaluate RUN --tasks all --data DIR",
        )


def _shown(average: Average) -> str:
    lacks = f"unknown ({len(average.missing)} of {average.num_entries} missing)"
    return lacks if average.value is None else words.percent(average.value)
