"""Beam search: the best continuation among those that the likeliest few beginnings lead to."""

# B prompts of a batch, W beams of each, R = B * W rows, V vocabulary, C candidates of a prompt
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glam.model.decoding import Ending, Written, read_prompts
from glam.model.transformer import Transformer


@dataclass(frozen=True)
class Beam:
    """A continuation."""

    ids: list[int]
    total: float
    """Sum of the log-probabilities of `ids`."""

    def score(self, length_penalty: float) -> float:
        return self.total / len(self.ids) ** length_penalty


class Search:
    """The beams of one prompt.

    It is over once `num_beams` of them have ended. One ends by being among the `num_beams` best candidates of a step
    with end-of-text or a stop text as its last, so that a single beam is greedy decoding.
    """

    def __init__(self, num_beams: int):
        self.num_beams = num_beams
        self.going = [Beam([], 0.0)]
        self.ended: list[Beam] = []

    @property
    def over(self) -> bool:
        return not self.going or len(self.ended) >= self.num_beams

    def advance(self, candidates: Iterable[tuple[float, int, int]], ending: Ending) -> list[int]:
        """Takes (total, beam, id) in falling order of totals; gives the former beam of each one that goes on."""
        going: list[Beam] = []
        parents: list[int] = []
        for rank, (total, parent, token) in enumerate(candidates):
            if len(going) == self.num_beams or total == -math.inf:
                break
            beam = Beam([*self.going[parent].ids, token], total)
            if token == ending.end_of_text or ending.has_stopped(beam.ids):
                if rank < self.num_beams:
                    self.ended.append(beam)
            else:
                going.append(beam)
                parents.append(parent)
        self.going = going
        return parents

    def best(self, length_penalty: float) -> list[int]:
        """Ids of the beam with the highest score."""
        complete = self.ended if self.over else [*self.ended, *self.going]
        return max(complete, key=lambda beam: beam.score(length_penalty)).ids


def search_rows(
    model: Transformer, rows: Sequence[Sequence[int]], ending: Ending, *, num_beams: int, length_penalty: float
) -> Written:
    """The best continuation of each row."""
    logits_BV, cache = read_prompts(model, rows, ending.max_new_tokens)
    device, vocab_size = logits_BV.device, logits_BV.shape[1]
    repeat_R = torch.arange(len(rows), device=device).repeat_interleave(num_beams)
    cache.select(repeat_R)
    prompt_length = cache.length
    logits_RV = logits_BV[repeat_R]
    searches = [Search(num_beams) for _ in rows]
    going = searches
    for step in range(ending.max_new_tokens):
        parents_of_rows, token_R, still_going = [], [], []
        for place, (search, candidates) in enumerate(zip(going, _candidates(logits_RV, going), strict=True)):
            parents = search.advance(((total, *divmod(flat, vocab_size)) for total, flat in candidates), ending)
            if search.over:
                continue
            still_going.append(search)
            # Where fewer beams go on than there are rows, the others repeat what nobody looks at.
            spare = num_beams - len(parents)
            parents_of_rows += [place * num_beams + parent for parent in (*parents, *[0] * spare)]
            token_R += [*(beam.ids[-1] for beam in search.going), *[0] * spare]
        going = still_going
        if not going or step + 1 == ending.max_new_tokens:
            break
        parent_R = torch.tensor(parents_of_rows, device=device)
        if len(parents_of_rows) == cache.num_rows:  # beams of a prompt change places, and share what they have read
            cache.reorder(parent_R, since=prompt_length)
        else:
            cache.select(parent_R)
        logits_RV = model.extend(torch.tensor(token_R, device=device)[:, None], cache)
    found = [search.best(length_penalty) for search in searches]
    return Written([ids[:-1] if ids[-1] == ending.end_of_text else ids for ids in found], cache.load_LE)


def _candidates(logits_RV: Tensor, searches: Sequence[Search]) -> list[list[tuple[float, int]]]:
    """(total, beam * V + id) of the best 2 * W candidates of each prompt: if W of them end, W still go on."""
    num_beams, vocab_size = searches[0].num_beams, logits_RV.shape[1]
    totals = [
        [beam.total for beam in search.going] + [-math.inf] * (num_beams - len(search.going)) for search in searches
    ]
    total_BW1 = torch.tensor(totals, dtype=torch.float64, device=logits_RV.device)[..., None]
    total_BWV = logits_RV.log_softmax(dim=-1).unflatten(0, (-1, num_beams)) + total_BW1
    best_BC, flat_BC = total_BWV.flatten(1).topk(min(2 * num_beams, num_beams * vocab_size), dim=-1)
    return [list(zip(*each, strict=True)) for each in zip(best_BC.tolist(), flat_BC.tolist(), strict=True)]
