"""What bounded expert capacity would cost: evaluation drops nothing, so this is asked apart.

Judged under a capacity limit a sparse model looks worse, and differently so for every order of the batch.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glam.config import replace
from glam.model.likelihood import token_losses
from glam.model.transformer import Transformer

MAX_BATCH_TOKENS = 2048


@dataclass(frozen=True)
class CapacityAudit:
    """Cross-entropy of the same text with and without a limit, in nats per token."""

    capacity_factor: float
    num_tokens: int
    dropless_loss: float
    capacity_loss: float
    dropped_fractions: tuple[float, ...]
    """Share of choices dropped in each mixture layer, from the first."""

    @property
    def gap(self) -> float:
        """What the limit costs."""
        return self.capacity_loss - self.dropless_loss


@torch.inference_mode()
def capacity_audit(model: Transformer, rows: Sequence[Sequence[int]], *, capacity_factor: float) -> CapacityAudit:
    """Scores rows of at least two ids as evaluation does and as `top2_capacity` would with that factor.

    A row is a routing group, or its pieces are where the model was trained so. Rows are never padded: padding would
    take slots. Raises ValueError for a model that has no two experts to choose.
    """
    limited_config = replace(model.config, router="top2_capacity", capacity_factor=capacity_factor)
    if limited_config.num_experts == 1:
        raise ValueError("the model is dense: num_experts=1 leaves no capacity to audit")
    with torch.device("meta"):
        limited = Transformer(limited_config)
    limited.load_state_dict(model.state_dict(), assign=True, strict=False)  # a router bias has no place there
    limited.train()
    was_training = model.training
    model.eval()
    losses = torch.zeros(2, dtype=torch.float64)
    kept_L, choices, num_tokens = torch.zeros(model.config.num_mixture_layers, dtype=torch.float64), 0, 0
    for ids_BS in _batches(rows):
        losses += torch.stack([token_losses(each, ids_BS)[0].double().sum() for each in (model, limited)])
        routing = limited(ids_BS[:, :-1]).routing
        assert routing is not None
        kept_L += routing.load_LE.sum(dim=1)
        choices += ids_BS[:, :-1].numel() * model.config.top_k
        num_tokens += ids_BS[:, 1:].numel()
    model.train(was_training)
    dropless, capacity = (losses / num_tokens).tolist()
    return CapacityAudit(capacity_factor, num_tokens, dropless, capacity, tuple((1 - kept_L / choices).tolist()))


def _batches(rows: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    by_length: dict[int, list[Sequence[int]]] = defaultdict(list)
    for row in rows:
        by_length[len(row)].append(row)
    return [
        torch.tensor(same[start : start + size])
        for length, same in sorted(by_length.items())
        for size in [max(1, MAX_BATCH_TOKENS // length)]
        for start in range(0, len(same), size)
    ]
