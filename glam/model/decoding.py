"""One id after the other: reading prompts into a cache, choosing the next id, knowing when to stop."""

# B prompts of a batch, S positions, V vocabulary, K ids to choose among, T new ids, L mixture layers, E experts
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glam.model.cache import Cache
from glam.model.transformer import Transformer

LIKELY_FIRST = 256
"""Ids among which a nucleus is looked for before all are sorted; sorting 4,096 takes as long as a small model."""


@dataclass(frozen=True)
class Ending:
    """When a continuation is over."""

    max_new_tokens: int
    end_of_text: int | None
    """An id; None: there is none."""
    stop: tuple[str, ...] = ()
    decode: Callable[[Sequence[int]], str] | None = None
    """Ids to text, every id at least one byte; needed for `stop`."""

    def has_stopped(self, ids: list[int]) -> bool:
        """Whether the last of `ids` completes a stop text. Looks at no more ids than could hold one."""
        if not self.stop:
            return False
        assert self.decode is not None, "stop texts are found in decoded text"
        longest = max(len(text.encode()) for text in self.stop)
        tail = self.decode(ids[-longest:])
        # The tail may begin inside a character, so what it seems to hold is looked for in the whole.
        return any(text in tail for text in self.stop) and any(text in self.decode(ids) for text in self.stop)


@dataclass(frozen=True)
class Written:
    """What continues each row of a batch."""

    rows: list[list[int]]
    """New ids of each, without end-of-text; those that complete a stop text are the last ones."""
    load_LE: Tensor | None
    """Choices that reached each expert, by mixture layer, over the ids of prompts, shared ones once, and of every
    beam; None: dense."""


@dataclass(frozen=True)
class Choice:
    """How the next id is chosen; the fields are those of GenerationConfig."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0

    def __call__(self, logits_BV: Tensor, uniform_B: Tensor) -> Tensor:
        """[B] ids. `uniform_B` are numbers in [0, 1), float64, not looked at when greedy."""
        if self.temperature == 0:
            return logits_BV.argmax(dim=-1)
        # Less the largest first: a tiny temperature then divides to -inf and 0, not to inf.
        logits_BV = logits_BV.double()
        scaled_BV = (logits_BV - logits_BV.amax(dim=-1, keepdim=True)) / self.temperature
        if self.top_k is None and self.top_p == 1:
            return _draw(scaled_BV.softmax(dim=-1), uniform_B)
        if self.top_k is not None:
            best_BK, id_BK = scaled_BV.topk(min(self.top_k, scaled_BV.shape[1]), dim=-1)
            probability_BK = best_BK.softmax(dim=-1)
        else:
            probability_BK, id_BK = _likeliest(scaled_BV.softmax(dim=-1), self.top_p)
        before_BK = probability_BK.cumsum(dim=-1) - probability_BK
        drawn_B = _draw(probability_BK.masked_fill(before_BK >= self.top_p, 0), uniform_B)
        return id_BK.gather(-1, drawn_B[:, None]).squeeze(-1)


def read_prompts(model: Transformer, rows: Sequence[Sequence[int]], num_new: int) -> tuple[Tensor, Cache]:
    """[B, V] logits after each prompt, and a cache with room for `num_new` more ids of each.

    What prompts begin with alike, as the turns of a conversation do, is computed once.
    Raises ValueError where the logits are no numbers.
    """
    logits_BV, cache = model.begin(rows, num_new)
    if not bool(logits_BV.isfinite().all()):
        raise ValueError("the model's logits are no finite numbers: its weights are broken, or training diverged")
    return logits_BV, cache


def continue_rows(
    model: Transformer, rows: Sequence[Sequence[int]], ending: Ending, choice: Choice, uniform_BT: Tensor
) -> Written:
    """One id after the other as `choice` chooses."""
    logits_BV, cache = read_prompts(model, rows, ending.max_new_tokens)
    continued: list[list[int]] = [[] for _ in rows]
    going = list(range(len(rows)))
    for step in range(ending.max_new_tokens):
        chosen_B = choice(logits_BV, uniform_BT[:, step])
        kept = []
        for place, (row, token) in enumerate(zip(going, chosen_B.tolist(), strict=True)):
            if token == ending.end_of_text:
                continue
            continued[row].append(token)
            if not ending.has_stopped(continued[row]):
                kept.append(place)
        if not kept or step + 1 == ending.max_new_tokens:
            break
        if len(kept) < len(going):
            going = [going[place] for place in kept]
            kept_B = torch.tensor(kept, device=chosen_B.device)
            chosen_B, uniform_BT = chosen_B[kept_B], uniform_BT[kept_B]
            cache.select(kept_B)
        logits_BV = model.extend(chosen_B[:, None], cache)
    return Written(continued, cache.load_LE)


def _likeliest(probability_BV: Tensor, enough: float) -> tuple[Tensor, Tensor]:
    """(probabilities, ids) [B, K] of the likeliest ids in falling order, which together have at least `enough`."""
    if probability_BV.shape[1] > LIKELY_FIRST:
        first = probability_BV.topk(LIKELY_FIRST, dim=-1)
        if bool((first.values.sum(dim=-1) > enough).all()):
            return first.values, first.indices
    return torch.sort(probability_BV, dim=-1, descending=True)


def _draw(weight_BK: Tensor, uniform_B: Tensor) -> Tensor:
    """[B] places, each as often as its weight says; never one without weight."""
    reached_BK = weight_BK.cumsum(dim=-1)
    wanted_B1 = uniform_B[:, None] * reached_BK[:, -1:]
    place_B = torch.searchsorted(reached_BK, wanted_B1, right=True).squeeze(-1)
    return place_B.clamp(max=weight_BK.shape[1] - 1)
