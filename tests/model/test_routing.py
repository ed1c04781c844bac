"""Laws of routing, for every router."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glam.config import replace
from glam.model.routing import ROUTERS, expert_capacity, router
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]


def logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ROUTERS)
def test_weights_of_a_token_that_kept_its_choices_sum_to_one(name: str) -> None:
    routing = router(name)(logits(3, 8, 4), TOY)
    kept = (routing.expert_GTK < 4).all(dim=-1)
    assert torch.allclose(routing.weight_GTK.sum(dim=-1)[kept], torch.ones(int(kept.sum())))


@pytest.mark.parametrize("name", ROUTERS)
def test_balance_loss_is_one_when_balanced_and_experts_when_collapsed(name: str) -> None:
    even = 50 * torch.eye(4).repeat(3, 2, 1)
    assert router(name)(even, TOY).balance_loss == pytest.approx(1.0)
    one = torch.tensor([50.0, 0, 0, 0]).expand(3, 8, 4)
    assert router(name)(one, TOY).balance_loss == pytest.approx(4.0)


@pytest.mark.parametrize("name", ROUTERS)
def test_load_counts_every_choice_that_was_not_dropped(name: str) -> None:
    routing = router(name)(logits(3, 8, 4), replace(TOY, capacity_factor=0.5))
    assert int(routing.load_E.sum()) == int((routing.expert_GTK < 4).sum())
    assert float(routing.dropped_fraction) == pytest.approx(1 - int(routing.load_E.sum()) / (3 * 8 * 2))


@pytest.mark.parametrize("name", ROUTERS)
def test_entropy_of_an_undecided_router_is_that_of_a_fair_draw(name: str) -> None:
    assert float(router(name)(torch.zeros(1, 8, 4), TOY).entropy) == pytest.approx(torch.tensor(4.0).log().item())


def test_dropless_drops_nothing_even_when_all_choose_one_expert() -> None:
    routing = router("top_k_dropless")(torch.tensor([50.0, 1, 0, 0]).expand(1, 64, 4), TOY)
    assert float(routing.dropped_fraction) == 0
    assert routing.load_E.tolist() == [64, 64, 0, 0]


def test_first_choices_take_their_slots_before_second_ones() -> None:
    # Token 0 has expert 1 as its second choice, tokens 1 to 4 as their first; four slots.
    table = torch.full((1, 5, 2), -9.0)
    table[0, 0], table[0, 1:] = torch.tensor([2.0, 1.0]), torch.tensor([1.0, 2.0])
    config = replace(TOY, num_experts=2, capacity_factor=1.0)
    assert expert_capacity(5, config) == 4
    routing = router("top_k_capacity")(table, config)
    assert routing.expert_GTK[0, :, 0].tolist() == [0, 1, 1, 1, 1]
    assert routing.expert_GTK[0, 0, 1] == 2, "the second choice came too late"


@given(
    tokens=st.integers(1, 40),
    experts=st.integers(2, 6),
    factor=st.sampled_from([0.25, 1.0, 2.0]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_no_expert_exceeds_its_capacity_and_groups_do_not_meet(
    tokens: int, experts: int, factor: float, seed: int
) -> None:
    config = replace(TOY, num_experts=experts, capacity_factor=factor)
    table = logits(2, tokens, experts, seed=seed)
    routing = router("top_k_capacity")(table, config)
    for group in range(2):
        load = torch.bincount(routing.expert_GTK[group].flatten(), minlength=experts + 1)[:experts]
        assert int(load.max()) <= expert_capacity(tokens, config)
        alone = router("top_k_capacity")(table[group : group + 1], config)
        assert torch.equal(alone.expert_GTK[0], routing.expert_GTK[group])


def test_unknown_router_lists_what_exists() -> None:
    with pytest.raises(ValueError, match="unknown router 'top2'; known: top_k_capacity, top_k_dropless"):
        router("top2")
