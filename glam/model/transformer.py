"""The decoder: pre-norm blocks of attention and a feed-forward or mixture layer, one tied embedding.

The embedding is drawn from N(0, 1) and not scaled on input; the output is multiplied by M^-1/2 before
the tied product (praxis GShardSharedEmbeddingSoftmax).
"""

# B rows, S positions, M model width, V vocabulary, L mixture layers, E experts
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glam.config import ModelConfig
from glam.model.attention import Attention, causal_mask
from glam.model.experts import MixtureOfExperts
from glam.model.feed_forward import FeedForward
from glam.model.layers import Initializer, RMSNorm
from glam.model.routing import Routing


@dataclass(frozen=True)
class RoutingSummary:
    """Means over the mixture layers of one forward pass; the losses carry gradients."""

    balance_loss: Tensor
    z_loss: Tensor
    load_LE: Tensor
    entropy: Tensor
    dropped_fraction: Tensor


@dataclass(frozen=True)
class Output:
    logits_BSV: Tensor
    routing: RoutingSummary | None
    """None for a dense model."""


class Block(nn.Module):
    """Attention, then a dense or a mixture layer, each on the normalised residual stream."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        self.attention_norm = RMSNorm(config.model_dim)
        self.attention = Attention(config)
        self.feed_forward_norm = RMSNorm(config.model_dim)
        self.feed_forward = MixtureOfExperts(config) if config.is_mixture_layer(layer) else FeedForward(config)

    def forward(self, x_BSM: Tensor, mask_B1SS: Tensor) -> tuple[Tensor, Routing | None]:
        x_BSM = x_BSM + self.attention(self.attention_norm(x_BSM), mask_B1SS)
        normed = self.feed_forward_norm(x_BSM)
        if isinstance(self.feed_forward, MixtureOfExperts):
            change, routing = self.feed_forward(normed)
            return x_BSM + change, routing
        return x_BSM + self.feed_forward(normed), None


class Transformer(nn.Module):
    """Logits of the next token at every position of packed rows."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.model_dim))
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.num_layers))
        self.final_norm = RMSNorm(config.model_dim)

    def initialize(self, seed: int) -> None:
        """Published initial distributions, decided by the seed and each parameter's name."""
        init = Initializer(seed)
        init.normal("embedding", self.embedding, std=1.0)
        for layer, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            block.attention.initialize(f"blocks.{layer}.attention", init)
            block.feed_forward.initialize(f"blocks.{layer}.feed_forward", init)

    def forward(self, ids_BS: Tensor, segment_BS: Tensor | None = None) -> Output:
        """`segment_BS` numbers the documents of a packed row; they do not see each other. None: one document a row."""
        x_BSM = F.embedding(ids_BS, self.embedding)
        mask = causal_mask(segment_BS, ids_BS.shape[1], dtype=x_BSM.dtype)
        routings = []
        for block in self.blocks:
            x_BSM, routing = block(x_BSM, mask)
            if routing is not None:
                routings.append(routing)
        scaled = self.final_norm(x_BSM) * self.config.model_dim**-0.5
        return Output(scaled @ self.embedding.t(), _summarize(routings))


def _summarize(routings: list[Routing]) -> RoutingSummary | None:
    if not routings:
        return None
    return RoutingSummary(
        balance_loss=torch.stack([each.balance_loss for each in routings]).mean(),
        z_loss=torch.stack([each.z_loss for each in routings]).mean(),
        load_LE=torch.stack([each.load_E for each in routings]),
        entropy=torch.stack([each.entropy for each in routings]).mean(),
        dropped_fraction=torch.stack([each.dropped_fraction for each in routings]).mean(),
    )
