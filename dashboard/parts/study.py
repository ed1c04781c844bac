"""Which study and which pair of its arms a page is about."""

import re
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import words
from dashboard.parts import choices
from dashboard.queries import Broken, VerdictEntry, list_verdicts, read_verdict
from glam.analysis.verdict import Contrast, Verdict


def choose_study(root: Path, *, place: DeltaGenerator | None = None) -> tuple[VerdictEntry, Verdict] | None:
    """The study of the address, or the latest; None, after saying why, where there is none or it cannot be read."""
    entries = {entry.fingerprint: entry for entry in list_verdicts(root)}
    if not entries:
        return None
    asked = st.query_params.get("study", "")
    if re.fullmatch("[0-9a-f]{16}", asked) and asked not in entries:  # as a run's link says before the run has ended
        st.info(f"The study {asked} has no verdict yet. Shown is another.")
    chosen = choices.one_of("Study", {mark: entry.title for mark, entry in entries.items()}, "study", place=place)
    try:
        return entries[chosen], read_verdict(root, chosen)
    except Broken as error:
        st.error(words.plain(str(error)))
        return None


def choose_pair(verdict: Verdict, *, place: DeltaGenerator | None = None) -> Contrast | None:
    """The pair of the address, or the first; None for a study of one arm."""
    if not verdict.contrasts:
        return None
    by_name = {f"{each.first}~{each.second}": each for each in verdict.contrasts}
    titles = {name: f"{each.first} against {each.second}" for name, each in by_name.items()}
    return by_name[choices.one_of("Pair", titles, "pair", place=place)]
