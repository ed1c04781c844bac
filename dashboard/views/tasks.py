"""Tasks: scores of one model or two, beside chance and what was published, down to the single item."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard import words
from dashboard.parts import choices, drawing
from dashboard.parts.runs import likely_pair
from dashboard.parts.tasks import is_at, shots_asked, shots_name
from dashboard.queries import RunEntry, list_runs, store_root
from dashboard.queries.scores import Subject, list_subjects, scores_of
from dashboard.views import averages, items, paired, published_scores, scores
from glam.config import Shots

NOBODY = "-"
VIEWS = {
    "scores": "Scores",
    "averages": "Averages",
    "paired": "Paired tests",
    "published": "Beside published",
    "items": "Items",
}


def show() -> None:
    """The page."""
    root = store_root()
    st.title("Tasks", anchor=False)
    runs = list_runs(root)
    subjects = {subject.title: subject for subject in list_subjects(root, runs)}
    if not subjects:
        drawing.nothing(
            f"Nothing was scored in {root} yet. Score a run, or all of a recipe's, with:", "glam evaluate quickstart"
        )
        return
    left, right = st.columns(2)
    first_default, second_default = _defaults(root, runs, subjects)
    titles = {title: title for title in subjects}
    first = subjects[choices.one_of("Model", titles, "first", default=first_default, place=left)]
    others = {NOBODY: "nobody"} | {title: title for title in titles if title != first.title}
    chosen = choices.one_of("Beside", others, "second", default=second_default, place=right)
    both = [first] if chosen == NOBODY else [first, subjects[chosen]]
    found = [scores_of(root, subject) for subject in both]
    for subject, entries in zip(both, found, strict=True):
        for entry in entries:
            if entry.problem:
                st.error(words.plain(f"{subject.title}, {entry.task}: cannot be read: {entry.problem}"))
    found = [[entry for entry in entries if entry.result is not None] for entries in found]
    if not found[0]:
        drawing.nothing(f"{first.title} has no score. Score it with:", f"glam evaluate {shlex.quote(first.label)}")
        return
    view = choices.one_of_few("Show", VIEWS, "view")
    if view == "items":
        items.draw(both, found)
        return
    if view == "paired":
        paired.draw(root, both)
        return
    shots: dict[str, Shots] = {str(each): each for each in shots_asked([one for several in found for one in several])}
    shown = shots[choices.one_of_few("Shots", {key: shots_name(each) for key, each in shots.items()}, "shots")]
    found = [[entry for entry in entries if is_at(entry, shown)] for entries in found]
    {"scores": scores.draw, "averages": averages.draw, "published": published_scores.draw}[view](both, found, shown)


def _defaults(root: Path, runs: Sequence[RunEntry], subjects: dict[str, Subject]) -> tuple[str, str]:
    """Titles of two likely runs; of the first subject where no runs were scored."""
    by_run = {subject.run_fingerprint: title for title, subject in subjects.items() if subject.run_fingerprint}
    scored = [run for run in runs if run.fingerprint in by_run]
    pair = likely_pair(root, scored)
    if pair is not None:
        return by_run[pair[0].fingerprint], by_run[pair[1].fingerprint]
    return next(iter(subjects)), NOBODY
