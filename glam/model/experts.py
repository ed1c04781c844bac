"""A mixture of experts: route, dispatch, compute, combine.

Dispatch and combine are apart from the computation of the experts, so that an exchange between devices
fits between them.
"""

# N tokens, K choices, R = N * K rows sorted by expert, E experts, M model width, F expert width
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from glam.config import ModelConfig
from glam.model.dispatch import combine, dispatch
from glam.model.expert_paths import EXPERT_PATHS, ExpertWeights, default_path
from glam.model.feed_forward import feed_forward
from glam.model.layers import Initializer
from glam.model.routing import RouterState, Routing, dropless_router, router, uniform

Compute = Callable[[Tensor, Tensor], Tensor]
"""From rows [R, M] that lie sorted by expert, and how many each has [E], to what the experts make of them [R, M]."""


class Exchange(Protocol):
    """Brings rows to the devices that hold their experts, and what the experts make of them back."""

    def __call__(self, rows_RM: Tensor, counts_E: Tensor, compute: Compute) -> Tensor: ...

    def local(self, weight: Tensor) -> Tensor:
        """The experts that this device holds."""
        ...


class Experts(nn.Module):
    """The stacked weights of a mixture layer's experts, and what they compute."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.activation = config.expert_activation
        self.path: str | None = None
        """A key of EXPERT_PATHS; None: what `default_path` says."""
        self.exchange: Exchange | None = None
        """None: every expert is here."""
        shape_in = (config.num_experts, config.model_dim, config.expert_hidden_dim)
        self.weight_in = nn.Parameter(torch.empty(shape_in))
        self.weight_out = nn.Parameter(torch.empty(config.num_experts, config.expert_hidden_dim, config.model_dim))
        self.weight_gate = nn.Parameter(torch.empty(shape_in)) if config.expert_gated else None

    def initialize(self, name: str, init: Initializer) -> None:
        _, width, hidden = self.weight_in.shape
        init.uniform(f"{name}.weight_in", self.weight_in, fan_in=width)
        init.uniform(f"{name}.weight_out", self.weight_out, fan_in=hidden)
        if self.weight_gate is not None:
            init.uniform(f"{name}.weight_gate", self.weight_gate, fan_in=width)

    def forward(self, rows_RM: Tensor, counts_E: Tensor) -> Tensor:
        """Each expert on its rows, which lie sorted by expert."""
        if self.exchange is None:
            return self._compute(rows_RM, counts_E)
        return self.exchange(rows_RM, counts_E, self._compute)

    def only(self, x: Tensor) -> Tensor:
        """The one expert there is, on rows of any shape."""
        # squeeze, for its gradient is a view; an index's is a matrix of zeros with a copy in it.
        gate = self.weight_gate.squeeze(0) if self.weight_gate is not None else None
        return feed_forward(x, self.weight_in.squeeze(0), gate, self.weight_out.squeeze(0), self.activation)

    def _compute(self, rows_RM: Tensor, counts_E: Tensor) -> Tensor:
        local = self.exchange.local if self.exchange is not None else _as_it_is
        gate = local(self.weight_gate) if self.weight_gate is not None else None
        weights = ExpertWeights(local(self.weight_in), gate, local(self.weight_out))
        if torch.is_autocast_enabled(rows_RM.device.type):  # which does not know every path's products
            dtype = torch.get_autocast_dtype(rows_RM.device.type)
            rows_RM, weights = rows_RM.to(dtype), weights.to(dtype)
        path = EXPERT_PATHS[self.path or default_path(rows_RM, weights)]
        return path(rows_RM, counts_E, weights, self.activation)


class MixtureOfExperts(nn.Module):
    """The mixture layer of [B, S, M]; with one expert it is that expert and has no router.

    A row of the batch, or a fixed piece of it, is a routing group. Outside training nothing is dropped,
    whatever was trained.
    """

    router_bias: Tensor | None

    def __init__(self, config: ModelConfig, layer: int = 0):
        super().__init__()
        self.config = config
        self.layer = layer
        self.experts = Experts(config)
        if config.num_experts > 1:
            self.router = nn.Parameter(torch.empty(config.model_dim, config.num_experts))
        biased = config.num_experts > 1 and config.router == "top_k_loss_free"
        # A buffer: saved with the weights, changed by adjust_router_bias() and by no gradient.
        self.register_buffer("router_bias", torch.zeros(config.num_experts) if biased else None)

    def initialize(self, name: str, init: Initializer) -> None:
        self.experts.initialize(name, init)
        if self.config.num_experts > 1:
            init.uniform(f"{name}.router", self.router, fan_in=self.config.model_dim)

    def forward(self, x_BSM: Tensor, row_key_B: Tensor | None = None) -> tuple[Tensor, Routing | None]:
        if self.config.num_experts == 1:
            return self.experts.only(x_BSM), None
        routing = self.route(x_BSM, row_key_B)
        x_NM = x_BSM.flatten(0, 1)
        rows_RM, plan = dispatch(x_NM, routing.expert_GTK.flatten(0, 1), self.config.num_experts)
        computed_RM = self.experts(rows_RM, plan.counts_E)
        y_NM = combine(computed_RM, routing.weight_GTK.flatten(0, 1).to(computed_RM.dtype), plan)
        return y_NM.view_as(x_BSM), routing

    def route(self, x_BSM: Tensor, row_key_B: Tensor | None = None) -> Routing:
        """Experts of every token, in float32 at least whatever the precision around it."""
        config, (num_rows, length, _) = self.config, x_BSM.shape
        with torch.autocast(x_BSM.device.type, enabled=False):
            precise = torch.promote_types(x_BSM.dtype, torch.float32)
            logits_BSE = x_BSM.to(precise) @ self.router.to(precise)
        group_tokens = config.group_tokens if length % config.group_tokens == 0 else length
        uniform_GT = None
        if self.training and config.second_policy == "random":
            row_key_B = torch.arange(num_rows, device=x_BSM.device) if row_key_B is None else row_key_B
            uniform_GT = uniform(row_key_B, self.layer, length).view(-1, group_tokens)
        route = router(config.router) if self.training else dropless_router(config.router)
        return route(
            logits_BSE.view(-1, group_tokens, config.num_experts), config, RouterState(self.router_bias, uniform_GT)
        )

    def adjust_router_bias(self, load_E: Tensor) -> None:
        """Raises the bias of experts below the mean load by the configured rate, lowers it above."""
        assert self.router_bias is not None, "only top_k_loss_free has a bias"
        load_E = load_E.to(self.router_bias.dtype)
        self.router_bias += self.config.router_bias_rate * (load_E.mean() - load_E).sign()


def _as_it_is(weight: Tensor) -> Tensor:
    return weight
