"""From scores to numbers, and the numbers that need no model. Pure arithmetic."""

import math
from collections import Counter
from collections.abc import Sequence

from glam.evaluation.scorer import ChoiceScore
from glam.evaluation.task import Item, Metric, Normalise

NUM_CONSTANTS = 5
"""Answers that are tried for a constant one; more of them take time and are rarer."""
YES = 1
"""Place of the choice yes of a statement that is judged (metric f1a)."""


def normalised(scores: Sequence[ChoiceScore], choices: Sequence[str], *, normalise: Normalise) -> list[float]:
    """Log-likelihood of each choice over its length in what `normalise` says; nats."""
    return [
        score.log_likelihood / _length(score, choice, normalise) for score, choice in zip(scores, choices, strict=True)
    ]


def _length(score: ChoiceScore, choice: str, normalise: Normalise) -> int:
    if normalise == "none":
        return 1
    if normalise == "tokens":
        return score.num_tokens
    text = choice.lstrip(" ")
    return len(text) if normalise == "characters" else len(text.encode())


def chosen(values: Sequence[float]) -> int:
    """The highest, the first of several that are equal."""
    return max(range(len(values)), key=lambda place: values[place])


def margin(values: Sequence[float], right: Sequence[int]) -> float | None:
    """Of the best right choice over the best wrong one; None where every choice is right or there is only one."""
    wrong = [value for place, value in enumerate(values) if place not in right]
    return max(values[place] for place in right) - max(wrong) if wrong else None


def bits_per_byte(nats: float, num_bytes: int) -> float | None:
    """Bits the model needs for a byte of text; None for no text. Comparable between vocabularies."""
    return nats / math.log(2) / num_bytes if num_bytes else None


def chance(items: Sequence[Item]) -> float | None:
    """Expected accuracy without a model; None without items, or where an item's is unknown."""
    known = [item.chance for item in items if item.chance is not None]
    return sum(known) / len(known) if known and len(known) == len(items) else None


def majority(items: Sequence[Item]) -> float | None:
    """Accuracy of one fixed answer to every item: the commonest position of a choice, or the commonest completion.

    None without items or choices.
    """
    if not items or not all(item.choices for item in items):
        return None
    answers = Counter(
        each
        for item in items
        for each in (map(str, set(item.right)) if len(item.choices) > 1 else (item.choices[item.answer],))
    )
    return answers.most_common(1)[0][1] / len(items)


def best_constant(items: Sequence[Item], metric: Metric) -> float | None:
    """Mean of a metric over the items where one of the commonest accepted answers is written to every one of them.

    None without items or accepted answers.
    """
    if not items or not all(item.references for item in items):
        return None
    answers = Counter(reference for item in items for reference in dict.fromkeys(item.references))
    return max(
        sum(metric(answer, item.references) for item in items) / len(items)
        for answer, _ in answers.most_common(NUM_CONSTANTS)
    )


def f1_of_chance(items: Sequence[Item]) -> float | None:
    """F1 of saying yes to every second statement: precision is the share of true ones, recall a half."""
    share = _share_of_yes(items)
    return None if share is None else share / (share + 0.5)


def f1_of_yes(items: Sequence[Item]) -> float | None:
    """F1 of always saying yes, the best that one fixed answer does."""
    share = _share_of_yes(items)
    return None if share is None else 2 * share / (share + 1)


def _share_of_yes(items: Sequence[Item]) -> float | None:
    return sum(item.answer == YES for item in items) / len(items) if items else None
