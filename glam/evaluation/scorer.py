"""From token ids to log-likelihoods and written answers. The model is one object; tests hand in a fake."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from glam.evaluation.prompting import Prompt

if TYPE_CHECKING:
    from glam.model.continuations import Continuations
    from glam.model.likelihood import TokenScores

NUM_BEAMS = 4
"""GLaM, section 5."""
Ids = Sequence[int]


class LanguageModel(Protocol):
    """What this room asks of a model."""

    def score_rows(self, rows: Sequence[Ids], /) -> "list[TokenScores]":
        """Of each row the negative log-likelihood (nats) and greedy match of its tokens 1, 2, ..."""
        ...

    def score_continuations(self, requests: Sequence[tuple[Ids, Ids]], /) -> "Continuations":
        """Of each continuation after its context."""
        ...

    def write(self, prompts: Sequence[Ids], /, *, stop: tuple[str, ...], max_new_tokens: int) -> list[str]:
        """What beam search of width `NUM_BEAMS` writes after each prompt, up to the first stop text."""
        ...


@dataclass(frozen=True)
class ChoiceScore:
    """One choice after its context."""

    log_likelihood: float
    """Nats, summed over the choice's tokens."""
    num_tokens: int
    greedy: bool
    """Whether greedy decoding from the context writes the choice."""


def score_tokens(rows: Sequence[Ids], model: LanguageModel) -> "list[TokenScores]":
    """What `score_rows` gives, checked. Raises ValueError where a likelihood is not a finite number."""
    scores = model.score_rows(rows)
    assert len(scores) == len(rows), f"score_rows gave {len(scores)} scores for {len(rows)} rows"
    for number, (row, score) in enumerate(zip(rows, scores, strict=True)):
        assert len(score.nll) == len(score.greedy) == len(row) - 1, (
            f"row {number} has {len(row)} tokens, so {len(row) - 1} predictions, not {len(score.nll)}"
        )
        _check_finite(score.nll, f"row {number} of {len(rows)}")
    return scores


def score_choices(
    prompts: Sequence[Prompt], model: LanguageModel
) -> tuple[list[tuple[ChoiceScore, ...]], np.ndarray | None]:
    """Scores of every choice of every prompt, in order, all in one call; and the experts' loads [L, E]."""
    requests = [request for prompt in prompts for request in prompt.requests]
    found = model.score_continuations(requests)
    assert len(found.scores) == len(requests), f"{len(found.scores)} scores for {len(requests)} requests"
    _check_finite(np.array([score.log_likelihood for score in found.scores]), "a choice")
    scores = iter(
        ChoiceScore(score.log_likelihood, len(continuation), score.greedy)
        for score, (_, continuation) in zip(found.scores, requests, strict=True)
    )
    return [tuple(next(scores) for _ in prompt.requests) for prompt in prompts], found.load_LE


def _check_finite(values: np.ndarray, what: str) -> None:
    if not np.isfinite(values).all():
        raise ValueError(
            f"the model gives {what} a likelihood that is no number; "
            "training has diverged: look at train/loss and lower train.learning_rate"
        )
