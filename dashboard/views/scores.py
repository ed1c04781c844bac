"""Scores of each task, with their intervals."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.charts.tasks import Score, task_scores
from dashboard.parts import drawing
from dashboard.parts.tasks import category, name_of, setting_name, short_names
from dashboard.queries.scores import ScoreEntry, Subject
from glam.config import Shots
from glam.records import EvalResult


def draw(subjects: Sequence[Subject], found: Sequence[Sequence[ScoreEntry]], _shots: Shots) -> None:
    """The chart, and a row a task."""
    names = short_names(subjects)
    keys = sorted({entry.key for entries in found for entry in entries}, key=lambda key: (category(key[0]), key))
    every = [entry for entries in found for entry in entries]
    dots, rows, raw = [], [], []
    for key in keys:
        of_key = [next((entry for entry in entries if entry.key == key), None) for entries in found]
        some = next(entry for entry in of_key if entry is not None)
        title = setting_name(some, every)
        row = {"Task": name_of(some.task), "Category": category(some.task), "Shots": some.num_shots}
        for name, entry in zip(names, of_key, strict=True):
            result = None if entry is None else entry.result
            row[name] = _value(result)
            if result is not None:
                raw.append({"model": name, "category": category(some.task), **_numbers(result)})
                if result.value is not None and result.metric != "cross_entropy":
                    dots.append(_dot(title, name, result))
        rows.append({**row, **_facts(some.result)})
    drawing.chart(task_scores(dots, names), "scores", absent="No task that has right and wrong was scored.")
    drawing.table(pd.DataFrame(rows), "score table", raw=pd.DataFrame(raw), full=len(rows) <= 40)
    st.caption(
        "Tick: chance; diamond: the most frequent answer. Intervals are over clusters of items, the model being the "
        "same. Held-out text is in nats per token, lower is better; all else in per cent."
    )


def _dot(task: str, name: str, result: EvalResult) -> Score:
    assert result.value is not None, "the caller has looked"
    return Score(
        task=task,
        model=name,
        value=result.value,
        low=result.low,
        high=result.high,
        chance=result.chance,
        majority=result.majority,
        how=result.metric,
    )


def _value(result: EvalResult | None) -> str:
    if result is None or result.value is None:
        return "not scored" if result is None else words.UNKNOWN
    nats = result.metric == "cross_entropy"

    def shown(value: float) -> str:
        return words.number(value) if nats else words.percent(value)

    if result.low is None or result.high is None:
        return shown(result.value)
    return f"{shown(result.value)} [{shown(result.low)}, {shown(result.high)}]"


def _facts(result: EvalResult | None) -> dict[str, str]:
    assert result is not None, "broken ones were left out"
    return {
        "Metric": result.metric,
        "Chance": "" if result.chance is None else words.percent(result.chance),
        "Majority": "" if result.majority is None else words.percent(result.majority),
        "Items": f"{result.num_examples:,}",
        "Too long": f"{result.num_too_long:,}",
        "Demonstrations shown": words.number(result.mean_demonstrations, digits=1),
    }


def _numbers(result: EvalResult) -> dict[str, object]:
    return result.model_dump(exclude={"schema_version", "others"})
