"""The feed-forward layer: one function for dense layers and for each expert."""

import torch
from torch import Tensor, nn

from glam.config import Activation, ModelConfig
from glam.model.layers import ACTIVATIONS, Initializer


def feed_forward(
    x: Tensor, weight_in: Tensor, weight_gate: Tensor | None, weight_out: Tensor, activation: str
) -> Tensor:
    """act(x W_in) W_out, or (act(x W_in) * x W_gate) W_out; x is [..., M], the weights [M, F], [M, F], [F, M]."""
    hidden = ACTIVATIONS[activation](x @ weight_in)
    if weight_gate is not None:
        hidden = hidden * (x @ weight_gate)
    return hidden @ weight_out


class FeedForward(nn.Module):
    """A dense layer, gated GELU as published."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.activation: Activation = config.dense_activation
        self.weight_in = nn.Parameter(torch.empty(config.model_dim, config.hidden_dim))
        self.weight_out = nn.Parameter(torch.empty(config.hidden_dim, config.model_dim))
        self.weight_gate = (
            nn.Parameter(torch.empty(config.model_dim, config.hidden_dim)) if config.dense_gated else None
        )

    def initialize(self, name: str, init: Initializer) -> None:
        width, hidden = self.weight_in.shape
        init.uniform(f"{name}.weight_in", self.weight_in, fan_in=width)
        init.uniform(f"{name}.weight_out", self.weight_out, fan_in=hidden)
        if self.weight_gate is not None:
            init.uniform(f"{name}.weight_gate", self.weight_gate, fan_in=width)

    def forward(self, x: Tensor) -> Tensor:
        return feed_forward(x, self.weight_in, self.weight_gate, self.weight_out, self.activation)
