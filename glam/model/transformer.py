"""The decoder: pre-norm blocks of attention and a feed-forward or mixture layer, one tied embedding.

The embedding is drawn from N(0, 1) and not scaled on input; the output is multiplied by M^-1/2 before
the tied product (praxis GShardSharedEmbeddingSoftmax).
"""

# B rows, S positions, M model width, V vocabulary, L mixture layers, E experts
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glam.config import ModelConfig
from glam.model.attention import Attention, Piece, Sight, rotation
from glam.model.cache import Cache, LayerCache
from glam.model.experts import MixtureOfExperts
from glam.model.feed_forward import FeedForward
from glam.model.layers import Initializer, RMSNorm
from glam.model.prefix_tree import Tree, batches
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
        mixture = config.is_mixture_layer(layer)
        self.feed_forward = MixtureOfExperts(config, layer) if mixture else FeedForward(config)

    def forward(
        self, x_BSM: Tensor, sight: Sight, row_key_B: Tensor | None = None, cache: LayerCache | None = None
    ) -> tuple[Tensor, Routing | None]:
        x_BSM = x_BSM + self.attention(self.attention_norm(x_BSM), sight, cache)
        normed = self.feed_forward_norm(x_BSM)
        if isinstance(self.feed_forward, MixtureOfExperts):
            change, routing = self.feed_forward(normed, row_key_B)
            return x_BSM + change, routing
        return x_BSM + self.feed_forward(normed), None


class Transformer(nn.Module):
    """Logits of the next token at every position of packed rows.

    Raises ValueError for a configuration that can be counted but not built.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        if config.positions == "learned":
            raise ValueError("positions='learned' can be counted, not built; choose t5_bias or rope")
        self.config = config
        self.recompute_activations = False
        """Whether training keeps only what enters each block and computes the rest again for the gradient."""
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

    def forward(self, ids_BS: Tensor, segment_BS: Tensor | None = None, row_key_B: Tensor | None = None) -> Output:
        """Logits after every position, and the routing.

        `segment_BS` numbers the documents of a packed row; they do not see each other. None: one document a row.
        `row_key_B` are numbers that decide a router's random choices; None: a row's place in the batch.
        """
        first_BS = None if segment_BS is None else _first_of_segment(segment_BS)
        position = torch.arange(ids_BS.shape[1], device=ids_BS.device)
        if first_BS is not None and self.config.restart_positions:
            position = (position - first_BS)[:, None]
        sight = self._sight(position, first_BS)
        x_BSM = F.embedding(ids_BS, self.embedding)
        routings = []
        for block in self.blocks:
            if self.recompute_activations and torch.is_grad_enabled():
                x_BSM, routing = checkpoint(block, x_BSM, sight, row_key_B, use_reentrant=False)
            else:
                x_BSM, routing = block(x_BSM, sight, row_key_B)
            if routing is not None:
                routings.append(routing)
        return Output(self.logits(x_BSM), _summarize(routings))

    def read_trees(
        self, trees: Sequence[Tree], layers: Sequence[LayerCache] | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """[T, M] what the blocks make of all ids of the trees, and [L, E] the choices that reached each expert.

        The first is for `logits`; the second is None for a dense model. Empty `layers` of one row with room for T ids
        keep their keys and values.
        """
        device, biased = self.embedding.device, self.config.positions == "t5_bias"
        pieces, start = [], 0
        for tree in trees:
            pieces.append(Piece.of(tree, start, biased=biased, device=device))
            start += len(tree.ids)
        sight = self._sight(torch.cat([tree.depth_N for tree in trees]).to(device), None, tuple(pieces))
        ids_T = torch.tensor([each for tree in trees for each in tree.ids], device=device)
        x_BTM = F.embedding(ids_T, self.embedding)[None]
        loads = []
        for block, layer in zip(self.blocks, layers or [None] * len(self.blocks), strict=True):
            x_BTM, routing = block(x_BTM, sight, cache=layer)
            if routing is not None:
                loads.append(routing.load_E)
        return x_BTM[0], torch.stack(loads) if loads else None

    def begin(self, rows: Sequence[Sequence[int]], num_new: int) -> tuple[Tensor, Cache]:
        """[B, V] logits after each row, and a cache of them with room for `num_new` more ids of each.

        What rows begin with alike, as the turns of a conversation do, is computed once.
        """
        config, like, length = self.config, self.embedding, max(len(row) for row in rows)
        padding_B = torch.tensor([length - len(row) for row in rows], device=like.device)
        cache = Cache(config, padding_B, length + num_new, like)
        x_BM = like.new_empty(len(rows), config.model_dim)
        for batch in batches(rows, biased=config.positions == "t5_bias"):
            read = [LayerCache(config, 1, sum(len(tree.ids) for tree in batch), like) for _ in cache.layers]
            x_TM, load_LE = self.read_trees(batch, read)
            if load_LE is not None:
                cache.count(load_LE)
            start = 0
            for tree in batch:
                for branch, path in zip(tree.branches, tree.path_of_branches, strict=True):
                    place_S = (path + start).to(like.device)
                    x_BM[branch.row] = x_TM[place_S[-1]]
                    for layer, own in zip(cache.layers, read, strict=True):
                        layer.fill(branch.row, own, place_S, length)
                start += len(tree.ids)
        return self.logits(x_BM), cache

    def extend(self, ids_BQ: Tensor, cache: Cache) -> Tensor:
        """[B, V] logits after the last of these ids, which go on from what `cache` holds and are added to it."""
        num_new = ids_BQ.shape[1]
        sight = self._sight(cache.positions(num_new), cache.first(num_new))
        x_BQM = F.embedding(ids_BQ, self.embedding)
        loads = []
        for block, layer in zip(self.blocks, cache.layers, strict=True):
            x_BQM, routing = block(x_BQM, sight, cache=layer)
            if routing is not None:
                loads.append(routing.load_E)
        if loads:
            cache.count(torch.stack(loads))
        return self.logits(x_BQM[:, -1])

    def adjust_router_bias(self, load_LE: Tensor) -> None:
        """After a step: makes experts below the mean load likelier and those above it less so (top_k_loss_free).

        `load_LE` are the choices of the whole batch, as `RoutingSummary.load_LE` counts them.
        """
        mixtures = [block.feed_forward for block in self.blocks if isinstance(block.feed_forward, MixtureOfExperts)]
        for mixture, load_E in zip(mixtures, load_LE, strict=True):
            mixture.adjust_router_bias(load_E)

    def _sight(self, position: Tensor, first_BQ: Tensor | None, pieces: tuple[Piece, ...] | None = None) -> Sight:
        rope = self.config.positions == "rope"
        turned = rotation(position, self.config.head_dim, self.embedding.dtype) if rope else None
        return Sight(first_BQ, turned, pieces)

    def logits(self, x: Tensor) -> Tensor:
        """[..., V] of what the blocks made, [..., M]."""
        return (self.final_norm(x) * self.config.model_dim**-0.5) @ self.embedding.t()


def _first_of_segment(segment_BS: Tensor) -> Tensor:
    """[B, S]: where the document of each position begins."""
    place_S = torch.arange(segment_BS.shape[1], device=segment_BS.device)
    begins_BS = F.pad(segment_BS[:, 1:] != segment_BS[:, :-1], (1, 0), value=True)
    return torch.where(begins_BS, place_S, 0).cummax(dim=1).values


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
