"""A mixture of experts: route, dispatch, compute, combine.

Dispatch and combine are apart from the computation of the experts, so that an exchange between devices
fits between them.
"""

# N tokens, K choices, R = N * K rows sorted by expert, E experts, M model width, F expert width
from typing import Any

import torch
from torch import Tensor, nn

from glam.config import ModelConfig
from glam.model.feed_forward import feed_forward
from glam.model.layers import Initializer
from glam.model.routing import Routing, router, top_k_dropless


class MixtureOfExperts(nn.Module):
    """The mixture layer of [B, S, M]; with one expert it is that expert and has no router.

    A row of the batch is a routing group. Outside training nothing is dropped, whatever was trained.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        shape_in = (config.num_experts, config.model_dim, config.expert_hidden_dim)
        self.weight_in = nn.Parameter(torch.empty(shape_in))
        self.weight_out = nn.Parameter(torch.empty(config.num_experts, config.expert_hidden_dim, config.model_dim))
        self.weight_gate = nn.Parameter(torch.empty(shape_in)) if config.expert_gated else None
        if config.num_experts > 1:
            self.router = nn.Parameter(torch.empty(config.model_dim, config.num_experts))
            self.route_training = router(config.router)

    def initialize(self, name: str, init: Initializer) -> None:
        _, width, hidden = self.weight_in.shape
        init.uniform(f"{name}.weight_in", self.weight_in, fan_in=width)
        init.uniform(f"{name}.weight_out", self.weight_out, fan_in=hidden)
        if self.weight_gate is not None:
            init.uniform(f"{name}.weight_gate", self.weight_gate, fan_in=width)
        if self.config.num_experts > 1:
            init.uniform(f"{name}.router", self.router, fan_in=width)

    def forward(self, x_BSM: Tensor) -> tuple[Tensor, Routing | None]:
        if self.config.num_experts == 1:
            return self._expert(x_BSM, 0), None
        route = self.route_training if self.training else top_k_dropless
        precise = torch.promote_types(x_BSM.dtype, torch.float32)
        routing = route(x_BSM.to(precise) @ self.router.to(precise), self.config)
        x_NM = x_BSM.flatten(0, 1)
        rows_RM, order_R, rows_per_expert = dispatch(x_NM, routing.expert_GTK.flatten(0, 1), self.config.num_experts)
        computed_RM = self.compute(rows_RM, rows_per_expert)
        y_NM = combine(computed_RM, order_R, routing.weight_GTK.flatten(0, 1).to(x_NM.dtype))
        return y_NM.unflatten(0, x_BSM.shape[:2]), routing

    def compute(self, rows_RM: Tensor, rows_per_expert: list[int]) -> Tensor:
        """Each expert on its rows; rows beyond the last expert's were dropped and come out as zeros."""
        # unbind gives the gradient of all experts in one piece; indexing would make E full-size ones.
        ins, outs = self.weight_in.unbind(), self.weight_out.unbind()
        gates = self.weight_gate.unbind() if self.weight_gate is not None else (None,) * len(ins)
        *kept, dropped = rows_RM.split(rows_per_expert)
        computed = [
            feed_forward(rows, weight_in, gate, weight_out, self.config.expert_activation)
            for rows, weight_in, gate, weight_out in zip(kept, ins, gates, outs, strict=True)
        ]
        return torch.cat([*computed, torch.zeros_like(dropped)])

    def _expert(self, x: Tensor, index: int) -> Tensor:
        gate = self.weight_gate[index] if self.weight_gate is not None else None
        return feed_forward(x, self.weight_in[index], gate, self.weight_out[index], self.config.expert_activation)


def dispatch(x_NM: Tensor, expert_NK: Tensor, num_experts: int) -> tuple[Tensor, Tensor, list[int]]:
    """Rows sorted by expert, the order that sorted them, and how many each expert gets (last: dropped)."""
    sorted_R, order_R = expert_NK.flatten().sort(stable=True)
    rows_RM = x_NM.repeat_interleave(expert_NK.shape[1], dim=0)
    rows_per_expert = torch.bincount(sorted_R, minlength=num_experts + 1).tolist()
    return Permute.apply(rows_RM, order_R), order_R, rows_per_expert


def combine(computed_RM: Tensor, order_R: Tensor, weight_NK: Tensor) -> Tensor:
    """Back in token order, the weighted sum over a token's choices."""
    inverse_R = torch.empty_like(order_R).scatter_(0, order_R, torch.arange(len(order_R)))
    chosen_NKM = Permute.apply(computed_RM, inverse_R).unflatten(0, weight_NK.shape)
    return (chosen_NKM * weight_NK[..., None]).sum(dim=1)


class Permute(torch.autograd.Function):
    """Rows in another order. Its gradient is the inverse permutation; indexing would scatter and add."""

    @staticmethod
    def forward(context: Any, x: Tensor, order: Tensor) -> Tensor:
        context.save_for_backward(order)
        return x.index_select(0, order)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (order,) = context.saved_tensors
        return torch.empty_like(gradient).index_copy_(0, order, gradient), None
