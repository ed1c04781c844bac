"""Which experts a token goes to, with what weight, and how evenly.

A router sees the logits of whole routing groups and returns a `Routing`. A choice that was dropped for
lack of capacity names expert E, which does not exist: the token passes by the residual alone.
"""

# G routing groups, T tokens in a group, E experts, K choices
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from glam.config import ModelConfig


@dataclass(frozen=True)
class Routing:
    """Choices of one mixture layer and the statistics a person wants of them."""

    weight_GTK: Tensor
    expert_GTK: Tensor
    balance_loss: Tensor
    """E * sum(first-choice share * mean probability), mean over groups; 1 when balanced (GShard, first choice only)."""
    z_loss: Tensor
    """Mean squared log-sum-exp of the logits."""
    load_E: Tensor
    """Choices that reached each expert; sums to G * T * K less the dropped ones."""
    entropy: Tensor
    """Mean entropy of a token's router distribution in nats."""
    dropped_fraction: Tensor


Router = Callable[[Tensor, ModelConfig], Routing]


def top_k_dropless(logits_GTE: Tensor, config: ModelConfig) -> Routing:
    """The k most probable experts, weights renormalised over them; nothing is dropped."""
    probability_GTE = logits_GTE.softmax(dim=-1)
    weight_GTK, expert_GTK = probability_GTE.topk(config.top_k, dim=-1)
    weight_GTK = weight_GTK / weight_GTK.sum(dim=-1, keepdim=True)
    return _routing(logits_GTE, probability_GTE, expert_GTK[..., 0], weight_GTK, expert_GTK)


def top_k_capacity(logits_GTE: Tensor, config: ModelConfig) -> Routing:
    """As GShard: each expert takes a bounded number of choices of a group, first choices before second.

    Weights are renormalised before the capacity is applied and not after (lingvo, praxis: `legacy_mtf_behavior`).
    """
    chosen = top_k_dropless(logits_GTE, config)
    capacity = expert_capacity(logits_GTE.shape[1], config)
    # Choice-major order inside a group: all first choices in token order, then all second ones.
    expert_GKT = chosen.expert_GTK.transpose(1, 2)
    one_hot_GNE = F.one_hot(expert_GKT.flatten(1), config.num_experts)
    position_GN = ((one_hot_GNE.cumsum(dim=1) - 1) * one_hot_GNE).sum(dim=-1)
    kept_GTK = (position_GN < capacity).unflatten(1, expert_GKT.shape[1:]).transpose(1, 2)
    weight_GTK = chosen.weight_GTK * kept_GTK
    expert_GTK = torch.where(kept_GTK, chosen.expert_GTK, config.num_experts)
    return _routing(logits_GTE, logits_GTE.softmax(dim=-1), chosen.expert_GTK[..., 0], weight_GTK, expert_GTK)


def expert_capacity(group_tokens: int, config: ModelConfig) -> int:
    """Slots of one expert in one group: int(tokens * factor / experts), at least 4, up to a multiple of 4 (lingvo)."""
    slots = int(group_tokens * config.capacity_factor / config.num_experts)
    return max(4, -(-slots // 4) * 4)


ROUTERS: Mapping[str, Router] = {"top_k_dropless": top_k_dropless, "top_k_capacity": top_k_capacity}


def router(name: str) -> Router:
    """The router of that name. Raises ValueError listing what exists."""
    if name not in ROUTERS:
        raise ValueError(f"unknown router {name!r}; known: {', '.join(sorted(ROUTERS))}")
    return ROUTERS[name]


def _routing(
    logits_GTE: Tensor, probability_GTE: Tensor, first_GT: Tensor, weight_GTK: Tensor, expert_GTK: Tensor
) -> Routing:
    num_experts = logits_GTE.shape[-1]
    first_share_GE = F.one_hot(first_GT, num_experts).to(probability_GTE.dtype).mean(dim=1)
    balance_G = num_experts * (first_share_GE * probability_GTE.mean(dim=1)).sum(dim=-1)
    load_E = torch.bincount(expert_GTK.flatten(), minlength=num_experts + 1)[:num_experts]
    detached = logits_GTE.detach()
    return Routing(
        weight_GTK=weight_GTK,
        expert_GTK=expert_GTK,
        balance_loss=balance_G.mean(),
        z_loss=logits_GTE.logsumexp(dim=-1).square().mean(),
        load_E=load_E,
        entropy=-(detached.log_softmax(dim=-1) * detached.softmax(dim=-1)).sum(dim=-1).mean(),
        dropped_fraction=1 - load_E.sum() / expert_GTK.numel(),
    )
