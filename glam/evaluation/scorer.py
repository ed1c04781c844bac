"""From rows of token ids to log-likelihoods of choices. The model is one callable; tests hand in a fake."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glam.evaluation.prompting import Prompt

if TYPE_CHECKING:
    from glam.model.likelihood import TokenScores

ScoreRows = Callable[[Sequence[Sequence[int]]], "list[TokenScores]"]
"""Rows -> for each row the negative log-likelihood (nats) and greedy match of its tokens 1, 2, ..."""


@dataclass(frozen=True)
class ChoiceScore:
    """One choice after its context."""

    log_likelihood: float
    """Nats, summed over the choice's tokens."""
    num_tokens: int
    greedy: bool
    """Whether greedy decoding from the context writes the choice."""


def score_tokens(rows: Sequence[Sequence[int]], score_rows: ScoreRows) -> "list[TokenScores]":
    """What `score_rows` gives, checked. Raises ValueError where a likelihood is not a finite number."""
    scores = score_rows(rows)
    assert len(scores) == len(rows), f"score_rows gave {len(scores)} scores for {len(rows)} rows"
    for number, (row, score) in enumerate(zip(rows, scores, strict=True)):
        assert len(score.nll) == len(score.greedy) == len(row) - 1, (
            f"row {number} has {len(row)} tokens, so {len(row) - 1} predictions, not {len(score.nll)}"
        )
        if not np.isfinite(score.nll).all():
            raise ValueError(
                f"the model gives row {number} of {len(rows)} a likelihood that is no number; "
                "training has diverged: look at train/loss and lower train.learning_rate"
            )
    return scores


def score_prompts(prompts: Sequence[Prompt], score_rows: ScoreRows) -> list[tuple[ChoiceScore, ...]]:
    """Scores of every choice of every prompt, in order; all rows go to the model in one call."""
    scores = iter(score_tokens([row for prompt in prompts for row in prompt.rows], score_rows))
    return [tuple(_choice(next(scores), num_tokens) for num_tokens in prompt.choice_tokens) for prompt in prompts]


def _choice(score: "TokenScores", num_tokens: int) -> ChoiceScore:
    return ChoiceScore(
        log_likelihood=-float(score.nll[-num_tokens:].sum()),
        num_tokens=num_tokens,
        greedy=bool(score.greedy[-num_tokens:].all()),
    )
