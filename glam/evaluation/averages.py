"""The averages of GLaM (Du et al., 2022, arXiv:2112.06905, section 5) over scores of its tasks. Pure arithmetic.

In: scores by (task, metric), ours or published ones, on any one scale. Out: NLG, NLU, overall and the seven categories
of figure 1, each a plain mean of its entries on the same scale. The paper's 29 tasks are 30 entries, because SQuADv2
counts twice: by F1 and by exact match.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from glam.config import Shots
from glam.evaluation.paper import Category, Group
from glam.evaluation.tasks import PUBLISHED
from glam.records import EvalResult


class Entry(NamedTuple):
    """One summand of the averages."""

    task: str
    metric: str
    group: Group
    category: Category


def _entries() -> Iterator[Entry]:
    for task in PUBLISHED.values():
        assert task.paper is not None, f"{task.name} is one of the paper's"
        for metric in task.paper.counted or (task.metric,):
            yield Entry(task.name, metric, task.paper.group, task.paper.category)


ENTRIES: tuple[Entry, ...] = tuple(_entries())


@dataclass(frozen=True, kw_only=True)
class Average:
    """The mean of a group of entries, or which of them are missing; never a mean of the others."""

    value: float | None
    """On the scale of the scores; None where an entry is missing."""
    num_entries: int
    """Of the group, missing ones included."""
    missing: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Averages:
    """What the paper averages."""

    groups: Mapping[Group, Average]
    categories: Mapping[Category, Average]
    overall: Average


def number_of(task: str, shots: Shots) -> int | None:
    """How many demonstrations that is before a task's items; None: the paper has no such task."""
    if shots != "paper":
        return shots
    published = PUBLISHED.get(task)
    return None if published is None or published.paper is None else published.paper.shots


def scores_at(results: Iterable[EvalResult], shots: Shots) -> dict[tuple[str, str], float | None]:
    """By task and metric, at that number of demonstrations; `paper`: of each task at the paper's own."""
    found: dict[tuple[str, str], float | None] = {}
    for result in results:
        if result.num_shots == number_of(result.task, shots):
            found |= {(result.task, name): value for name, value in result.others.items()}
            found[result.task, result.metric] = result.value
    return found


def averages(scores: Mapping[tuple[str, str], float | None]) -> Averages:
    """The paper's averages of scores by (task, metric), all on one scale; other tasks and metrics do not count.

    A score that is absent or None is missing, and so is every average that it belongs to.
    """
    return Averages(
        groups={group: _mean([e for e in ENTRIES if e.group == group], scores) for group in get_args(Group)},
        categories={name: _mean([e for e in ENTRIES if e.category == name], scores) for name in get_args(Category)},
        overall=_mean(ENTRIES, scores),
    )


def _mean(entries: Sequence[Entry], scores: Mapping[tuple[str, str], float | None]) -> Average:
    found = [scores.get((entry.task, entry.metric)) for entry in entries]
    values = [score for score in found if score is not None]
    return Average(
        value=math.fsum(values) / len(entries) if len(values) == len(entries) else None,
        num_entries=len(entries),
        missing=tuple(entry for entry, score in zip(entries, found, strict=True) if score is None),
    )
