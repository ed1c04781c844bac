"""Which experts every id of a row goes to."""

# S positions, L mixture layers, K choices
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from glam.model.experts import MixtureOfExperts
from glam.model.routing import Routing
from glam.model.transformer import Transformer


@torch.inference_mode()
def chosen_experts(model: Transformer, ids: Sequence[int]) -> Tensor:
    """[S, L, K] int64: the experts that each id of the row chooses in each mixture layer, in the router's order.

    From one forward pass as evaluation does it, where nothing is dropped. L is 0 for a dense model.
    """
    chosen: list[Tensor] = []

    def keep(_layer: Any, _inputs: Any, made: tuple[Tensor, Routing | None]) -> None:
        if (routing := made[1]) is not None:
            chosen.append(routing.expert_GTK.flatten(0, 1))

    was_training = model.training
    model.eval()
    try:
        with ExitStack() as hooks:
            for layer in model.modules():
                if isinstance(layer, MixtureOfExperts):
                    hooks.callback(layer.register_forward_hook(keep).remove)
            model(torch.as_tensor(ids, device=model.embedding.device)[None])
    finally:
        model.train(was_training)
    if not chosen:
        return torch.empty(len(ids), 0, model.config.top_k, dtype=torch.long)
    return torch.stack(chosen, dim=1).cpu()
