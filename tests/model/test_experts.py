"""The sorted, grouped computation is the plain loop over tokens."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from glam.config import ModelConfig, replace
from glam.model.experts import MixtureOfExperts
from glam.model.feed_forward import feed_forward
from glam.model.layers import Initializer
from glam.model.routing import Routing
from glam.variants import VARIANTS

TOY = replace(VARIANTS["toy_4e"], model_dim=8, hidden_dim=12, expert_hidden_dim=12)


def layer(config: ModelConfig) -> MixtureOfExperts:
    made = MixtureOfExperts(config)
    made.initialize("layer", Initializer(0))
    return made.double()


def one_token_at_a_time(moe: MixtureOfExperts, x_BSM: Tensor, routing: Routing) -> Tensor:
    """The oracle."""
    rows = []
    for row in range(x_BSM.shape[0]):
        for place in range(x_BSM.shape[1]):
            total = torch.zeros_like(x_BSM[row, place])
            chosen = zip(routing.expert_GTK[row, place], routing.weight_GTK[row, place], strict=True)
            for expert, weight in chosen:
                if expert < moe.config.num_experts:
                    gate = moe.weight_gate[expert] if moe.weight_gate is not None else None
                    weights = (moe.weight_in[expert], gate, moe.weight_out[expert])
                    total = total + weight * feed_forward(x_BSM[row, place], *weights, moe.config.expert_activation)
            rows.append(total)
    return torch.stack(rows).view_as(x_BSM)


@given(
    tokens=st.integers(1, 9),
    experts=st.integers(2, 5),
    gated=st.booleans(),
    router=st.sampled_from(["top_k_dropless", "top_k_capacity"]),
    skew=st.sampled_from([0.0, 100.0]),
)
@settings(deadline=None, max_examples=40)
def test_agrees_with_the_loop_forward_and_backward(
    tokens: int, experts: int, gated: bool, router: str, skew: float
) -> None:
    moe = layer(replace(TOY, num_experts=experts, expert_gated=gated, router=router, capacity_factor=0.5))
    with torch.no_grad():
        moe.router[:, 0] += skew  # sends most tokens to one expert and leaves others without any
    x = torch.randn(2, tokens, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    fast, routing = moe(x)
    assert routing is not None
    slow = one_token_at_a_time(moe, x, routing)
    assert torch.allclose(fast, slow, atol=1e-10)
    inputs = [x, *moe.parameters()]
    direction = torch.randn(fast.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    quick = torch.autograd.grad((fast * direction).sum(), inputs, allow_unused=True, retain_graph=True)
    plain = torch.autograd.grad((slow * direction).sum(), inputs, allow_unused=True)
    for one, two, parameter in zip(quick, plain, inputs, strict=True):
        zero = torch.zeros_like(parameter)
        assert torch.allclose(zero if one is None else one, zero if two is None else two, atol=1e-10)


def test_mixture_whose_experts_are_all_equal_is_that_expert() -> None:
    moe, alone = layer(TOY), layer(replace(TOY, num_experts=1, top_k=1))
    with torch.no_grad():
        for name in ("weight_in", "weight_out"):
            getattr(moe, name).copy_(getattr(alone, name).expand_as(getattr(moe, name)))
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    assert torch.allclose(moe(x)[0], alone(x)[0])


def test_evaluation_drops_nothing_whatever_was_trained() -> None:
    moe = layer(replace(TOY, router="top_k_capacity", capacity_factor=0.1))
    x = torch.randn(1, 64, 8, dtype=torch.float64)
    assert float(moe.train()(x)[1].dropped_fraction) > 0
    assert float(moe.eval()(x)[1].dropped_fraction) == pytest.approx(0)
