"""Which experts a token goes to, with what weight, and how evenly.

A router sees the logits of whole routing groups and returns a `Routing`. A choice that was dropped for
lack of capacity names expert E, which does not exist: the token passes by the residual alone.
"""

# G routing groups, T tokens in a group, E experts, K choices
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from glam.config import ModelConfig


@dataclass(frozen=True)
class Routing:
    """Choices of one mixture layer; the statistics a person wants of them are computed when asked for."""

    weight_GTK: Tensor
    expert_GTK: Tensor
    logits_GTE: Tensor
    first_GT: Tensor
    """The first choice of each token, whether it was dropped or not."""
    balance_learns: bool = True
    """Whether the balance loss has a gradient."""

    @property
    def balance_loss(self) -> Tensor:
        """E * sum(first-choice share * mean probability), mean over groups; 1 when balanced (GShard)."""
        logits_GTE = self.logits_GTE if self.balance_learns else self.logits_GTE.detach()
        num_experts = logits_GTE.shape[-1]
        share_GE = F.one_hot(self.first_GT, num_experts).to(logits_GTE.dtype).mean(dim=1)
        return num_experts * (share_GE * logits_GTE.softmax(dim=-1).mean(dim=1)).sum(dim=-1).mean()

    @property
    def z_loss(self) -> Tensor:
        """Mean squared log-sum-exp of the logits."""
        return self.logits_GTE.logsumexp(dim=-1).square().mean()

    @property
    def load_E(self) -> Tensor:
        """Choices that reached each expert; sums to G * T * K less the dropped ones."""
        return rows_of_experts(self.expert_GTK, self.logits_GTE.shape[-1])

    @property
    def entropy(self) -> Tensor:
        """Mean entropy of a token's router distribution in nats."""
        logits_GTE = self.logits_GTE.detach()
        return -(logits_GTE.log_softmax(dim=-1) * logits_GTE.softmax(dim=-1)).sum(dim=-1).mean()

    @property
    def dropped_fraction(self) -> Tensor:
        return 1 - self.load_E.sum() / self.expert_GTK.numel()


@dataclass(frozen=True)
class RouterState:
    """What a router may need besides logits."""

    bias_E: Tensor | None = None
    """Of top_k_loss_free."""
    uniform_GT: Tensor | None = None
    """Random numbers in [0, 1), of second_policy="random"."""


Router = Callable[[Tensor, ModelConfig, RouterState], Routing]


def top_k_dropless(logits_GTE: Tensor, config: ModelConfig, _: RouterState) -> Routing:
    """The k most probable experts, weights renormalised over them; nothing is dropped."""
    return _choose(logits_GTE, config.top_k, bias_E=None)


def top_k_loss_free(logits_GTE: Tensor, config: ModelConfig, state: RouterState) -> Routing:
    """As `top_k_dropless`, but chosen by logits plus a bias that evens out the load and has no gradient.

    Weights are those of the logits alone. Wang et al. (arXiv:2408.15664) add the bias to sigmoid gates; added to
    logits its effect does not depend on the number of experts. The balance loss is reported, not learned from.
    """
    assert state.bias_E is not None, "the layer keeps the bias"
    routing = _choose(logits_GTE, config.top_k, bias_E=state.bias_E)
    return dataclasses.replace(routing, balance_learns=False)


def top2_capacity(logits_GTE: Tensor, config: ModelConfig, state: RouterState) -> Routing:
    """As GShard (arXiv:2006.16668): each expert takes a bounded number of choices of a group, first before second.

    Weights are renormalised before the capacity is applied and not after (lingvo, praxis: `legacy_mtf_behavior`).
    With `second_policy="random"` the second expert of weight g is used with probability min(1, 2 g).
    """
    chosen = _choose(logits_GTE, 2, bias_E=None)
    wanted_GTK = torch.ones_like(chosen.expert_GTK, dtype=torch.bool)
    if config.second_policy == "random":
        assert state.uniform_GT is not None, "the layer draws the numbers"
        wanted_GTK[..., 1] = state.uniform_GT < 2 * chosen.weight_GTK[..., 1]
    # Choice-major order inside a group: all first choices in token order, then all second ones.
    expert_GKT, wanted_GKT = chosen.expert_GTK.transpose(1, 2), wanted_GTK.transpose(1, 2)
    one_hot_GNE = F.one_hot(expert_GKT.flatten(1), config.num_experts) * wanted_GKT.flatten(1)[..., None]
    position_GN = ((one_hot_GNE.cumsum(dim=1) - 1) * one_hot_GNE).sum(dim=-1)
    kept_GN = (position_GN < expert_capacity(logits_GTE.shape[1], config)) & wanted_GKT.flatten(1)
    kept_GTK = kept_GN.unflatten(1, expert_GKT.shape[1:]).transpose(1, 2)
    expert_GTK = torch.where(kept_GTK, chosen.expert_GTK, config.num_experts)
    return dataclasses.replace(chosen, weight_GTK=chosen.weight_GTK * kept_GTK, expert_GTK=expert_GTK)


def expert_capacity(group_tokens: int, config: ModelConfig) -> int:
    """Slots of one expert in one group: int(tokens * factor / experts), at least 4, up to a multiple of 4 (lingvo)."""
    slots = int(group_tokens * config.capacity_factor / config.num_experts)
    return max(4, -(-slots // 4) * 4)


def uniform(row_key_B: Tensor, layer: int, length: int) -> Tensor:
    """[B, S] numbers in [0, 1), float64, decided by key, layer and position alone.

    So a random choice does not depend on how rows are shared out among workers. Mixing as SplitMix64
    (Steele et al., 2014); int64 products wrap as unsigned ones do.
    """
    place_S = torch.arange(length, device=row_key_B.device) + (layer << 32)
    state = row_key_B[:, None] * -0x61C8864680B583EB + place_S * -0x3B314601E57A13AD
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        state = (state ^ _shift_right(state, shift)) * factor
    return _shift_right(state ^ _shift_right(state, 31), 11).double() * 2.0**-53


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Of 64 bits taken as unsigned."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


ROUTERS: Mapping[str, Router] = {
    "top2_capacity": top2_capacity,
    "top_k_dropless": top_k_dropless,
    "top_k_loss_free": top_k_loss_free,
}


def router(name: str) -> Router:
    """The router of that name. Raises ValueError listing what exists."""
    if name not in ROUTERS:
        raise ValueError(f"unknown router {name!r}; known: {', '.join(sorted(ROUTERS))}")
    return ROUTERS[name]


def dropless_router(name: str) -> Router:
    """The one that evaluates what was trained with the router of that name: the same choices, none dropped."""
    return top_k_dropless if name == "top2_capacity" else router(name)


def _choose(logits_GTE: Tensor, top_k: int, bias_E: Tensor | None) -> Routing:
    probability_GTE = logits_GTE.softmax(dim=-1)
    scores_GTE = probability_GTE if bias_E is None else logits_GTE.detach() + bias_E
    expert_GTK = scores_GTE.topk(top_k, dim=-1).indices
    weight_GTK = probability_GTE.gather(-1, expert_GTK)
    return Routing(
        weight_GTK=weight_GTK / weight_GTK.sum(dim=-1, keepdim=True),
        expert_GTK=expert_GTK,
        logits_GTE=logits_GTE,
        first_GT=expert_GTK[..., 0],
    )


def rows_of_experts(expert: Tensor, num_experts: int) -> Tensor:
    """[E] int64: how many choices each expert got, whatever the shape; dropped ones (expert E) are left out."""
    counts = torch.zeros(num_experts + 1, dtype=torch.long, device=expert.device)
    return counts.scatter_add_(0, expert.flatten(), torch.ones_like(expert.flatten()))[:num_experts]
