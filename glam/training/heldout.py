"""What held-out text tells of a model that lies on the workers of a group: how well it predicts each row, and which of
its experts take which kind of token and which source.
"""

# R rows, S positions, L mixture layers, K choices, E experts, C kinds of token, D sources
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glam.data.token_kinds import TOKEN_KINDS
from glam.model.likelihood import score_rows
from glam.model.routes import chosen_experts
from glam.model.transformer import Transformer
from glam.records import ExpertSpecialization
from glam.training.parallel import ParallelGroup

MOST_ROWS = 64
"""Of which choices are counted."""


@dataclass(frozen=True)
class HeldoutScore:
    """How well the rows that are held out are predicted."""

    loss: float
    """Cross-entropy in nats per token over all rows."""
    nats: tuple[float, ...]
    """Of each row, in their order."""


def score_heldout(model: Transformer, rows: Sequence[Sequence[int]], group: ParallelGroup) -> HeldoutScore:
    """Every worker gets the score of all rows; each computes its share of them where it can do so alone."""
    share, total = _shared_out(model, group)
    scores = score_rows(model, rows[share])
    nats = [float(each.nll.sum()) for each in scores]
    sums = torch.tensor([sum(nats), sum(len(each.nll) for each in scores)], dtype=torch.float64)
    nats_R = torch.zeros(len(rows), dtype=torch.float64)
    nats_R[share] = torch.tensor(nats, dtype=torch.float64)
    total_nats, num_tokens = total(sums).tolist()
    return HeldoutScore(total_nats / num_tokens, tuple(total(nats_R).tolist()))


def count_choices(
    model: Transformer,
    rows: Sequence[Sequence[int]],
    sources: Sequence[str],
    token_kind: Callable[[int], str],
    group: ParallelGroup,
) -> ExpertSpecialization | None:
    """Choices of the tokens of the first rows, by kind of token and by source of the row; None for a dense model.

    As in `score_heldout`, every worker gets those of all rows, and the last id of a row is only predicted. Rows pass
    one by one, so how many workers there are does not change what is computed.
    """
    config = model.config
    if config.num_experts == 1 or config.num_mixture_layers == 0:
        return None
    share, total = _shared_out(model, group)
    rows, sources = rows[:MOST_ROWS], sources[:MOST_ROWS]
    names = sorted(set(sources))
    shape = (len(TOKEN_KINDS), config.num_mixture_layers, config.num_experts)
    load_DCLE = torch.zeros(len(names), *shape, dtype=torch.long)
    for row, source in zip(rows[share], sources[share], strict=True):
        kind_S = torch.tensor([TOKEN_KINDS.index(token_kind(each)) for each in row[:-1]])
        load_DCLE[names.index(source)] += _loads(chosen_experts(model, row[:-1]), kind_S, shape)
    load_DCLE = total(load_DCLE)
    return ExpertSpecialization(
        num_tokens=sum(len(row) - 1 for row in rows),
        by_kind=_by_name(TOKEN_KINDS, load_DCLE.sum(dim=0)),
        by_source=_by_name(names, load_DCLE.sum(dim=1)),
    )


def _shared_out(model: Transformer, group: ParallelGroup) -> tuple[slice, Callable[[Tensor], Tensor]]:
    """Rows, of those that every worker has, that this one computes, and what makes its sums those of all rows."""
    if group.computes_alone(model.config):
        return slice(group.rank, None, group.world_size), group.sum
    return slice(None), lambda sums: sums


def _loads(chosen_SLK: Tensor, kind_S: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """[C, L, E]: choices that reached each expert."""
    _, num_layers, num_experts = shape
    place_SL = kind_S[:, None] * num_layers + torch.arange(num_layers)
    place_SLK = place_SL[..., None] * num_experts + chosen_SLK
    return torch.bincount(place_SLK.flatten(), minlength=shape[0] * num_layers * num_experts).view(shape)


def _by_name(names: Sequence[str], load_XLE: Tensor) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Without those that no token has."""
    return {
        name: tuple(tuple(int(load) for load in row) for row in load_LE.tolist())
        for name, load_LE in zip(names, load_XLE, strict=True)
        if load_LE.any()
    }
