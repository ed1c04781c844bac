"""Laws of routing, for every router."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glam.config import ModelConfig, replace
from glam.model.experts import MixtureOfExperts
from glam.model.layers import Initializer
from glam.model.routing import ROUTERS, RouterState, Routing, expert_capacity, router, uniform
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]


def logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def route(name: str, table: torch.Tensor, config: ModelConfig = TOY) -> Routing:
    state = RouterState(bias_E=torch.zeros(table.shape[-1]), uniform_GT=torch.rand(table.shape[:2]))
    return router(name)(table, config, state)


@pytest.mark.parametrize("name", ROUTERS)
def test_weights_of_a_token_that_kept_its_choices_sum_to_one(name: str) -> None:
    routing = route(name, logits(3, 8, 4))
    kept = (routing.expert_GTK < 4).all(dim=-1)
    assert torch.allclose(routing.weight_GTK.sum(dim=-1)[kept], torch.ones(int(kept.sum())))


@pytest.mark.parametrize("name", ROUTERS)
def test_the_two_choices_of_a_token_differ_and_the_first_is_the_likelier(name: str) -> None:
    routing = route(name, logits(3, 8, 4), replace(TOY, capacity_factor=8.0))
    assert (routing.expert_GTK[..., 0] != routing.expert_GTK[..., 1]).all()
    assert (routing.weight_GTK[..., 0] >= routing.weight_GTK[..., 1]).all()


@pytest.mark.parametrize("name", ROUTERS)
def test_balance_loss_is_one_when_balanced_and_experts_when_collapsed(name: str) -> None:
    even = 50 * torch.eye(4).repeat(3, 2, 1)
    assert route(name, even).balance_loss == pytest.approx(1.0)
    one = torch.tensor([50.0, 0, 0, 0]).expand(3, 8, 4)
    assert route(name, one).balance_loss == pytest.approx(4.0)


@pytest.mark.parametrize("name", ROUTERS)
def test_load_counts_every_choice_that_was_not_dropped(name: str) -> None:
    routing = route(name, logits(3, 8, 4), replace(TOY, capacity_factor=0.5, second_policy="random"))
    assert int(routing.load_E.sum()) == int((routing.expert_GTK < 4).sum())
    assert float(routing.dropped_fraction) == pytest.approx(1 - int(routing.load_E.sum()) / (3 * 8 * 2))


@pytest.mark.parametrize("name", ROUTERS)
def test_entropy_of_an_undecided_router_is_that_of_a_fair_draw(name: str) -> None:
    assert float(route(name, torch.zeros(1, 8, 4)).entropy) == pytest.approx(torch.tensor(4.0).log().item())


@pytest.mark.parametrize("name", ["top_k_dropless", "top_k_loss_free"])
def test_dropless_drops_nothing_even_when_all_choose_one_expert(name: str) -> None:
    routing = route(name, torch.tensor([50.0, 1, 0, 0]).expand(1, 64, 4))
    assert float(routing.dropped_fraction) == 0
    assert routing.load_E.tolist() == [64, 64, 0, 0]


def test_first_choices_take_their_slots_before_second_ones() -> None:
    # Token 0 has expert 1 as its second choice, tokens 1 to 4 as their first; four slots.
    table = torch.full((1, 5, 2), -9.0)
    table[0, 0], table[0, 1:] = torch.tensor([2.0, 1.0]), torch.tensor([1.0, 2.0])
    config = replace(TOY, num_experts=2, capacity_factor=1.0)
    assert expert_capacity(5, config) == 4
    routing = route("top2_capacity", table, config)
    assert routing.expert_GTK[0, :, 0].tolist() == [0, 1, 1, 1, 1]
    assert routing.expert_GTK[0, 0, 1] == 2, "the second choice came too late"


@pytest.mark.parametrize(
    ("tokens", "factor", "experts", "slots"), [(1024, 2.0, 64, 32), (100, 2.0, 64, 4), (60, 1.25, 8, 12)]
)
def test_capacity_is_cut_to_an_integer_and_raised_to_a_multiple_of_four(tokens, factor, experts, slots) -> None:
    # lingvo: int(1024 * 2 / 64) = 32; int(100 * 2 / 64) = 3 -> 4; int(60 * 1.25 / 8) = 9 -> 12.
    assert expert_capacity(tokens, replace(TOY, num_experts=experts, capacity_factor=factor)) == slots


@given(
    tokens=st.integers(1, 40),
    experts=st.integers(2, 6),
    factor=st.sampled_from([0.25, 1.0, 2.0]),
    policy=st.sampled_from(["all", "random"]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_no_expert_exceeds_its_capacity_and_groups_do_not_meet(
    tokens: int, experts: int, factor: float, policy: str, seed: int
) -> None:
    config = replace(TOY, num_experts=experts, capacity_factor=factor, second_policy=policy)
    table, chance = logits(2, tokens, experts, seed=seed), torch.rand(2, tokens)
    routing = router("top2_capacity")(table, config, RouterState(uniform_GT=chance))
    for group in range(2):
        load = torch.bincount(routing.expert_GTK[group].flatten(), minlength=experts + 1)[:experts]
        assert int(load.max()) <= expert_capacity(tokens, config)
        state = RouterState(uniform_GT=chance[group : group + 1])
        alone = router("top2_capacity")(table[group : group + 1], config, state)
        assert torch.equal(alone.expert_GTK[0], routing.expert_GTK[group])


def test_a_random_second_expert_is_used_with_twice_its_weight_and_first_ones_always() -> None:
    table = torch.tensor([1.0, 0.0, -9, -9]).expand(1, 4000, 4)
    config = replace(TOY, second_policy="random", capacity_factor=9.0)
    chance = uniform(torch.zeros(1, dtype=torch.long), layer=0, length=4000)
    routing = router("top2_capacity")(table, config, RouterState(uniform_GT=chance))
    weight = float(torch.tensor([1.0, 0.0]).softmax(0)[1])
    assert (routing.expert_GTK[..., 0] == 0).all()
    assert float((routing.expert_GTK[..., 1] == 1).float().mean()) == pytest.approx(2 * weight, abs=0.03)


def test_random_numbers_are_those_of_key_layer_and_position_alone_and_uniform() -> None:
    keys = torch.tensor([5, 6, 7])
    drawn = uniform(keys, layer=2, length=5000)
    assert torch.equal(uniform(keys[1:], 2, 5000), drawn[1:]), "whatever the rows beside it"
    assert torch.equal(uniform(keys, 2, 100), drawn[:, :100])
    assert not torch.equal(uniform(keys, 3, 5000), drawn)
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) < 1
    share = torch.histc(drawn.flatten(), 10, 0, 1) / drawn.numel()
    assert torch.allclose(share, torch.full((10,), 0.1, dtype=torch.float64), atol=0.01)
    assert abs(float(torch.corrcoef(drawn)[0, 1])) < 0.05


def test_the_bias_of_the_loss_free_router_chooses_and_does_not_weigh() -> None:
    table = logits(1, 16, 4).requires_grad_()
    config = replace(TOY, router="top_k_loss_free")
    routing = router("top_k_loss_free")(table, config, RouterState(bias_E=torch.tensor([0.0, 0, 0, 99])))
    assert (routing.expert_GTK == 3).any(dim=-1).all(), "everyone takes the favoured expert"
    expected = table.softmax(-1).gather(-1, routing.expert_GTK)
    assert torch.allclose(routing.weight_GTK, expected / expected.sum(-1, keepdim=True))
    assert not routing.balance_loss.requires_grad


def test_the_bias_of_the_loss_free_router_evens_out_the_load() -> None:
    config = replace(TOY, router="top_k_loss_free", router_bias_rate=0.05)
    mixture = MixtureOfExperts(config).train()
    mixture.initialize("layer", Initializer(0))
    x = torch.randn(4, 64, TOY.model_dim, generator=torch.Generator().manual_seed(0)) + 1.0
    before = mixture.route(x).load_E
    for _ in range(100):
        mixture.adjust_router_bias(mixture.route(x).load_E)
    after = mixture.route(x).load_E
    assert after.max() - after.min() < 0.3 * (before.max() - before.min())
    assert "router_bias" in mixture.state_dict()
    assert not any(name == "router_bias" for name, _ in mixture.named_parameters())


def test_routing_groups_are_pieces_of_a_row_whatever_the_batch() -> None:
    config = replace(TOY, router="top2_capacity", routing_group_tokens=16, capacity_factor=1.0)
    mixture = MixtureOfExperts(config).train()
    mixture.initialize("layer", Initializer(0))
    x = torch.randn(3, 64, TOY.model_dim, generator=torch.Generator().manual_seed(0))
    together = mixture.route(x).expert_GTK
    assert together.shape == (12, 16, 2)
    assert torch.equal(mixture.route(x[1:2]).expert_GTK, together[4:8])


def test_unknown_router_lists_what_exists() -> None:
    with pytest.raises(
        ValueError, match="unknown router 'top2'; known: top2_capacity, top_k_dropless, top_k_loss_free"
    ):
        router("top2")
