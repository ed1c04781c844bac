"""The sorted, grouped computation is the plain loop over tokens."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from glam.config import ModelConfig, replace
from glam.model.expert_paths import EXPERT_PATHS, ExpertWeights
from glam.model.experts import MixtureOfExperts
from glam.model.feed_forward import feed_forward
from glam.model.layers import Initializer
from glam.model.routing import Routing
from glam.variants import VARIANTS

FLOAT64_PATHS = sorted(set(EXPERT_PATHS) - {"grouped_mm"})
"""torch's grouped product knows float32 and below."""

TOY = replace(VARIANTS["toy_4e"], model_dim=8, hidden_dim=12, expert_hidden_dim=12)


def layer(config: ModelConfig, path: str = "grouped") -> MixtureOfExperts:
    made = MixtureOfExperts(config)
    made.initialize("layer", Initializer(0))
    made.experts.path = path
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
                    gate = moe.experts.weight_gate[expert] if moe.experts.weight_gate is not None else None
                    weights = (moe.experts.weight_in[expert], gate, moe.experts.weight_out[expert])
                    total = total + weight * feed_forward(x_BSM[row, place], *weights, moe.config.expert_activation)
            rows.append(total)
    return torch.stack(rows).view_as(x_BSM)


@given(
    tokens=st.integers(1, 9),
    experts=st.integers(2, 5),
    gated=st.booleans(),
    activation=st.sampled_from(["relu", "gelu", "silu"]),
    path=st.sampled_from(FLOAT64_PATHS),
    router=st.sampled_from(["top_k_dropless", "top2_capacity"]),
    skew=st.sampled_from([0.0, 100.0]),
)
@settings(deadline=None, max_examples=80)
def test_agrees_with_the_loop_forward_and_backward(
    tokens: int, experts: int, gated: bool, activation: str, path: str, router: str, skew: float
) -> None:
    kind = {"expert_gated": gated, "expert_activation": activation, "router": router}
    moe = layer(replace(TOY, num_experts=experts, capacity_factor=0.5, **kind), path)
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


@given(
    counts=st.lists(st.sampled_from([0, 1, 2, 7]), min_size=1, max_size=5),
    dropped=st.integers(0, 3),
    gated=st.booleans(),
    dtype=st.sampled_from([torch.float64, torch.float32]),
)
@settings(deadline=None, max_examples=60)
def test_all_paths_give_one_result_forward_and_backward(
    counts: list[int], dropped: int, gated: bool, dtype: torch.dtype
) -> None:
    """Experts that get no row, one, or all of them; float64 to 1e-10, float32 to 1e-5."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return (torch.randn(*shape, generator=generator, dtype=torch.float64) / 3).to(dtype).requires_grad_()

    experts, rows = len(counts), random(sum(counts) + dropped, 8)
    weights = ExpertWeights(random(experts, 8, 12), random(experts, 8, 12) if gated else None, random(experts, 12, 8))
    inputs = [rows, *(each for each in (weights.into, weights.gate, weights.out) if each is not None)]
    direction = torch.randn(rows.shape, generator=generator, dtype=torch.float64).to(dtype)
    results = {}
    for name in EXPERT_PATHS if dtype == torch.float32 and sum(counts) else FLOAT64_PATHS:
        computed = EXPERT_PATHS[name](rows, torch.tensor(counts), weights, "gelu")
        results[name] = [computed, *torch.autograd.grad((computed * direction).sum(), inputs, allow_unused=True)]
        assert not computed[len(rows) - dropped :].any(), "a dropped row comes out as nothing"
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    for name in set(results) - {"loop"}:
        for ours, plain, of in zip(results[name], results["loop"], [rows, *inputs], strict=True):
            expected = torch.zeros_like(of) if plain is None else plain
            found = torch.zeros_like(of) if ours is None else ours
            assert torch.allclose(found, expected, atol=tolerance, rtol=tolerance), name


@pytest.mark.parametrize("gated", [False, True])
def test_the_operators_of_the_grouped_path_keep_torchs_rules(gated: bool) -> None:
    weights = [torch.randn(3, 4, 5), torch.randn(3, 4, 5) if gated else None, torch.randn(3, 5, 4)]
    arguments = [torch.randn(5, 4), torch.tensor([2, 0, 3]), *weights]
    arguments = [each.requires_grad_() if each is not None and each.is_floating_point() else each for each in arguments]
    torch.library.opcheck(torch.ops.glam.grouped_experts, (*arguments, "silu"))


def test_mixture_whose_experts_are_all_equal_is_that_expert() -> None:
    moe, alone = layer(TOY), layer(replace(TOY, num_experts=1, top_k=1))
    with torch.no_grad():
        for name in ("weight_in", "weight_out"):
            getattr(moe.experts, name).copy_(getattr(alone.experts, name).expand_as(getattr(moe.experts, name)))
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    assert torch.allclose(moe(x)[0], alone(x)[0])


def test_evaluation_drops_nothing_whatever_was_trained() -> None:
    moe = layer(replace(TOY, router="top2_capacity", capacity_factor=0.1))
    x = torch.randn(1, 64, 8, dtype=torch.float64)
    assert float(moe.train()(x)[1].dropped_fraction) > 0
    assert float(moe.eval()(x)[1].dropped_fraction) == pytest.approx(0)
