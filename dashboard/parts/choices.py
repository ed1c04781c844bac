"""Choices whose value stands in the page's address, so that a page can be linked, and that hold from page to page.

An address may say anything: what is none of the options is passed over.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

ValueT = TypeVar("ValueT")
KEPT, SEEN = "choices kept", "choices in the address"
"""Places in the session: by key, the last value, and what the address last said of it."""


def one_of(
    label: str, titles: Mapping[str, str], key: str, *, default: str | None = None, place: DeltaGenerator | None = None
) -> str:
    """One of many, by its title; `titles` by value, not empty. Titles are shown as plain text."""
    options = list(titles)
    start = default if default is not None and default in titles else options[0]
    _begin(key, lambda texts: texts[0] if texts[0] in titles else None, start)
    chosen = (place or st).selectbox(label, options, key=key, format_func=lambda value: titles.get(value, value))
    _end(key, chosen, [chosen], start)
    return chosen


def one_of_few(
    label: str,
    titles: Mapping[str, str],
    key: str,
    *,
    default: str | None = None,
    show_label: bool = False,
    place: DeltaGenerator | None = None,
) -> str:
    """One of a handful that are all seen; titles are ours, for they are read as Markdown."""
    options = list(titles)
    start = default if default is not None and default in titles else options[0]
    _begin(key, lambda texts: texts[0] if texts[0] in titles else None, start)
    chosen = (place or st).segmented_control(
        label,
        options,
        key=key,
        required=True,
        format_func=lambda value: titles.get(value, value),
        label_visibility="visible" if show_label else "collapsed",
    )
    chosen = start if chosen is None else chosen
    _end(key, chosen, [chosen], start)
    return chosen


def some_of(
    label: str,
    titles: Mapping[str, str],
    key: str,
    *,
    default: Sequence[str],
    most: int | None = None,
    place: DeltaGenerator | None = None,
) -> list[str]:
    """Any of many; titles are shown as plain text."""
    start = [value for value in default if value in titles][:most]

    def known(texts: list[str]) -> list[str] | None:
        return [text for text in dict.fromkeys(texts) if text in titles][:most] or None

    _begin(key, known, start)
    chosen = (place or st).multiselect(
        label, list(titles), key=key, max_selections=most, format_func=lambda value: titles.get(value, value)
    )
    _end(key, chosen, chosen, start)
    return chosen


def number(
    label: str,
    key: str,
    *,
    low: float,
    high: float,
    step: float,
    default: float,
    slider: bool = False,
    help: str | None = None,
    place: DeltaGenerator | None = None,
) -> float:
    """A number between two ends."""

    def known(texts: list[str]) -> float | None:
        try:
            value = float(texts[0])
        except ValueError:
            return None
        return value if low <= value <= high else None

    _begin(key, known, default)
    widget = (place or st).slider if slider else (place or st).number_input
    chosen = float(widget(label, min_value=low, max_value=high, step=step, key=key, help=help))
    _end(key, chosen, [f"{chosen:g}"], default)
    return chosen


def text(label: str, key: str, *, placeholder: str = "", place: DeltaGenerator | None = None) -> str:
    """A line to search for."""
    _begin(key, lambda texts: texts[0][:200], "")
    chosen = (place or st).text_input(label, key=key, placeholder=placeholder, max_chars=200) or ""
    _end(key, chosen, [chosen], "")
    return chosen


def _begin(key: str, known: Callable[[list[str]], ValueT | None], default: ValueT) -> None:
    """Gives the widget its value before it is drawn: the address where that is news, else the one it had."""
    seen, before = st.session_state.setdefault(SEEN, {}), st.session_state.setdefault(KEPT, {})
    asked = st.query_params.get_all(key)
    news = asked != seen.get(key, [])
    found = known(asked) if asked and news else None
    if found is None:
        kept = st.session_state.get(key, before.get(key))
        found = default if kept is None else _still_known(kept, known)
    value = default if found is None else found
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def _still_known(kept: ValueT, known: Callable[[list[str]], ValueT | None]) -> ValueT | None:
    """None for a value that is an option no more; an empty list or text stays."""
    texts = [str(each) for each in kept] if isinstance(kept, list) else [str(kept)]
    return known(texts) if texts and texts != [""] else kept


def _end(key: str, chosen: ValueT, texts: list[str], default: ValueT) -> None:
    """Remembers the value, and writes it into the address unless it is the default."""
    st.session_state[KEPT][key] = chosen
    wanted = [] if chosen == default else texts
    if st.query_params.get_all(key) != wanted:
        if wanted:
            st.query_params[key] = wanted
        else:
            st.query_params.pop(key, None)
    st.session_state[SEEN][key] = wanted
