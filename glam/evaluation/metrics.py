"""From scores to numbers, and the numbers that need no model. Pure arithmetic."""

import math
from collections import Counter
from collections.abc import Sequence

from glam.evaluation.scorer import ChoiceScore
from glam.evaluation.task import Item, Normalise


def margin(scores: Sequence[ChoiceScore], answer: int, *, normalise: Normalise) -> float:
    """Log-likelihood of the right choice minus the best wrong one; nats per token where normalised by tokens.

    The item is right iff this is positive.
    """
    values = [score.log_likelihood / (score.num_tokens if normalise == "tokens" else 1) for score in scores]
    return values[answer] - max(value for index, value in enumerate(values) if index != answer)


def bits_per_byte(nats: float, num_bytes: int) -> float | None:
    """Bits the model needs for a byte of text; None for no text. Comparable between vocabularies."""
    return nats / math.log(2) / num_bytes if num_bytes else None


def chance(items: Sequence[Item]) -> float | None:
    """Expected accuracy without a model; None without items."""
    return sum(item.chance for item in items) / len(items) if items else None


def majority(items: Sequence[Item]) -> float | None:
    """Accuracy of one fixed answer to every item: the commonest position of a choice, or the commonest completion."""
    if not items:
        return None
    answers = Counter(str(item.answer) if len(item.choices) > 1 else item.choices[item.answer] for item in items)
    return answers.most_common(1)[0][1] / len(items)
