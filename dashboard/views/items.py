"""Items of a task: a page of them as a table, and of one what was asked and what each model made of it."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.parts import choices, drawing
from dashboard.parts.tasks import setting_name, short_names
from dashboard.queries import Broken
from dashboard.queries.items import Pairs, Which, pair_items, read_rows
from dashboard.queries.scores import ScoreEntry, Subject

A_PAGE = 20
MOST_CHARACTERS = 20_000
"""Of a text that is shown."""
MOST_CHOICES = 40
SHOWN_OF_PROMPT = 90
"""Characters in the table."""
ORDERS = {"asked": "As asked", "first": "Best for the first", "second": "Best for the second"}


def draw(subjects: Sequence[Subject], found: Sequence[Sequence[ScoreEntry]]) -> None:
    """Items of one task, of those that both models were asked in the same way."""
    names = short_names(subjects)
    by_key = [{entry.key: entry for entry in entries} for entries in found]
    shared = [entry for entry in found[0] if all(entry.key in each for each in by_key)]
    if not shared:
        st.info("The two models were asked no task in the same way. Choose others.")
        return
    titles = {f"{entry.task}~{entry.num_shots}~{entry.settings}": setting_name(entry, shared) for entry in shared}
    keys = dict(zip(titles, (entry.key for entry in shared), strict=True))
    left, middle, right, last = st.columns([4, 3, 3, 2])
    key = keys[choices.one_of("Task", titles, "task", place=left)]
    entries = [each[key] for each in by_key]
    try:
        pairs = pair_items(entries[0], entries[-1])
        which = _choose_which(pairs, names, entries[0], middle)
        order = choices.one_of("Order", ORDERS if len(names) > 1 else {"asked": "As asked"}, "order", place=right)
        places = _ordered(pairs, pairs.which(which), order)
        if not len(places):
            st.info("No item is of this kind.")
            return
        num_pages = -(-len(places) // A_PAGE)
        page = int(choices.number("Page", "page", low=1.0, high=float(num_pages), step=1.0, default=1.0, place=last))
        shown = places[(page - 1) * A_PAGE : page * A_PAGE]
        st.caption(words.plain(f"{words.some(len(places), 'item')}, {words.some(num_pages, 'page')} of {A_PAGE}."))
        rows = [
            read_rows(entry, [int(row) for row in row_N[shown]])
            for entry, row_N in zip(entries, (pairs.first_row_N, pairs.second_row_N), strict=False)
        ]
    except Broken as error:
        st.error(words.plain(f"The items cannot be read: {error}"))
        return
    answers = list(zip(*rows, strict=True))
    drawing.table(_overview(names, answers), "items", full=True)
    ids = {str(place): _cut(str(each[0].get("item_id")), 120) for place, each in enumerate(answers)}
    _item(names, answers[int(choices.one_of("Item", ids, "item"))])


def _overview(names: Sequence[str], answers: Sequence[Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """A row an item: how its prompt ends, and whether each model is right."""
    return pd.DataFrame(
        [
            {
                "Item": _cut(str(each[0].get("item_id")), 120),
                "Prompt ends": _end(each[0].get("prompt")),
                **{name: _mark(answer) for name, answer in zip(names, each, strict=True)},
            }
            for each in answers
        ]
    )


def _end(prompt: object) -> str:
    if not isinstance(prompt, str):
        return "not kept"
    text = " ".join(prompt.split())
    return text if len(text) <= SHOWN_OF_PROMPT else f"… {text[-SHOWN_OF_PROMPT:]}"


def _choose_which(pairs: Pairs, names: Sequence[str], entry: ScoreEntry, place: Any) -> Which:
    """Of the kinds of items, with how many there are."""
    if entry.result is not None and entry.result.metric == "cross_entropy":
        return "all"
    said: dict[Which, str] = {"all": "All", "both right": "Right", "both wrong": "Wrong"}
    if len(names) > 1:
        said = {
            "all": "All",
            "both right": "Both right",
            "only first": f"Only {names[0]} right",
            "only second": f"Only {names[1]} right",
            "both wrong": "Both wrong",
        }
    titles: dict[str, str] = {name: f"{title} ({len(pairs.which(name)):,})" for name, title in said.items()}
    chosen = choices.one_of("Items", titles, "which", place=place)
    return next(name for name in get_args(Which) if name == chosen)


def _ordered(pairs: Pairs, places: np.ndarray, order: str) -> np.ndarray:
    if order == "asked":
        return places
    difference = pairs.difference_N[places] * (1 if order == "first" else -1)
    return places[np.argsort(-np.nan_to_num(difference, nan=-np.inf), kind="stable")]


def _item(names: Sequence[str], answers: Sequence[Mapping[str, Any]]) -> None:
    first = answers[0]
    prompt = first.get("prompt")
    if isinstance(prompt, str):
        st.code(_cut(prompt), language=None, wrap_lines=True)
    else:
        st.caption("The prompt was not kept.")
    listed = first.get("choices") or []
    if listed:
        drawing.table(_choices(names, answers, listed), "choices", full=True)
    else:
        _written(names, answers)


def _mark(answer: Mapping[str, Any]) -> str:
    right, chosen, value = answer.get("right") or [], answer.get("chosen"), answer.get("value")
    if chosen is not None and right:
        return "right" if chosen in right else "wrong"
    if value is None:
        return "not asked"
    return {1.0: "right", 0.0: "wrong"}.get(value, words.number(value))


def _choices(names: Sequence[str], answers: Sequence[Mapping[str, Any]], listed: Sequence[Any]) -> pd.DataFrame:
    """A row a choice: whether it is right, its likelihood for each model, and who chose it."""
    rows = []
    for place, text in enumerate(listed[:MOST_CHOICES]):
        row: dict[str, object] = {
            "Choice": _cut(str(text), 400),
            "Right": "right" if place in (answers[0].get("right") or []) else "",
            "Chosen by": ", ".join(
                name for name, answer in zip(names, answers, strict=True) if answer.get("chosen") == place
            ),
        }
        for name, answer in zip(names, answers, strict=True):
            nats, tokens = _at(answer.get("log_likelihoods"), place), _at(answer.get("choice_tokens"), place)
            row[f"{name}: nats"] = words.number(nats, digits=2)
            row[f"{name}: nats per token"] = words.number(
                nats / tokens if nats is not None and tokens else None, digits=2
            )
        rows.append(row)
    return pd.DataFrame(rows)


def _at(values: Sequence[float] | None, place: int) -> float | None:
    return values[place] if values and place < len(values) else None


def _written(names: Sequence[str], answers: Sequence[Mapping[str, Any]]) -> None:
    references = [str(each) for each in answers[0].get("references") or []]
    if references:
        st.caption("Accepted answers")
        st.code(_cut("\n".join(references[:MOST_CHOICES])), language=None, wrap_lines=True)
    for name, answer in zip(names, answers, strict=True):
        written = answer.get("generation")
        if isinstance(written, str):
            st.caption(words.plain(f"{name} wrote ({_mark(answer)})"))
            st.code(_cut(written), language=None, wrap_lines=True)
        elif answer.get("right_nats") is not None:
            st.caption(words.plain(f"{name}: {words.number(answer['right_nats'], digits=2)} nats for the right answer"))
        else:
            st.caption(words.plain(f"{name}: {words.number(answer.get('value'))}"))


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most:,} more characters)"
