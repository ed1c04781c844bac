"""From token ids to log-likelihoods and written answers. The model is one object; tests hand in a fake."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from glam.evaluation.prompting import Prompt

if TYPE_CHECKING:
    from glam.model.continuations import Continuations

NUM_BEAMS = 4
"""GLaM, section 5."""
Ids = Sequence[int]


@dataclass(frozen=True)
class Answers:
    """What a model wrote after prompts."""

    texts: list[str]
    load_LE: np.ndarray | None
    """Choices that reached each expert, by mixture layer, over prompts and all beams; None for a dense model."""


class LanguageModel(Protocol):
    """What this room asks of a model."""

    def score_continuations(self, requests: Sequence[tuple[Ids, Ids]], /) -> "Continuations":
        """Of each continuation after its context."""
        ...

    def write(self, prompts: Sequence[Ids], /, *, stop: tuple[str, ...], max_new_tokens: int) -> Answers:
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


def score_texts(rows: Sequence[Ids], model: LanguageModel) -> tuple[list[float], np.ndarray | None]:
    """Negative log-likelihood of each row after its first id, in nats; and the experts' loads [L, E]."""
    found = _scored([(row[:1], row[1:]) for row in rows], model)
    return [-score.log_likelihood for score in found.scores], found.load_LE


def score_choices(
    prompts: Sequence[Prompt], model: LanguageModel
) -> tuple[list[tuple[ChoiceScore, ...]], np.ndarray | None]:
    """Scores of every choice of every prompt, in order, all in one call; and the experts' loads [L, E]."""
    requests = [request for prompt in prompts for request in prompt.requests]
    found = _scored(requests, model)
    scores = iter(
        ChoiceScore(score.log_likelihood, len(continuation), score.greedy)
        for score, (_, continuation) in zip(found.scores, requests, strict=True)
    )
    return [tuple(next(scores) for _ in prompt.requests) for prompt in prompts], found.load_LE


def _scored(requests: Sequence[tuple[Ids, Ids]], model: LanguageModel) -> "Continuations":
    """Raises ValueError where a likelihood is not a finite number."""
    found = model.score_continuations(requests)
    assert len(found.scores) == len(requests), f"{len(found.scores)} scores for {len(requests)} requests"
    for place, score in enumerate(found.scores):
        if not math.isfinite(score.log_likelihood):
            raise ValueError(
                f"the model gives text {place + 1} of {len(requests)} a likelihood that is no number; "
                "training has diverged: look at train/loss and lower train.learning_rate"
            )
    return found
