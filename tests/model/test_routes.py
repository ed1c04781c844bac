"""The experts that each id goes to are those that the routers choose."""

from collections.abc import Sequence

import pytest
import torch

from glam.config import ModelConfig, replace
from glam.model.experts import MixtureOfExperts
from glam.model.routes import chosen_experts
from glam.model.routing import ROUTERS, Routing
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.variants import VARIANTS

pytestmark = pytest.mark.usefixtures("one_thread")

TOY = replace(VARIANTS["toy_4e"], num_layers=4, routing_group_tokens=None)
IDS = [5, 0, 17, 3, 3, 250, 9]


def made(config: ModelConfig) -> Transformer:
    model = Transformer(config)
    model.initialize(3)
    return model.eval()


def routers_choices(model: Transformer, ids: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> list[Routing]:
    """What `MixtureOfExperts.route` decides in one pass, layer by layer."""
    seen: list[Routing] = []
    route = MixtureOfExperts.route

    def watched(layer: MixtureOfExperts, *inputs: torch.Tensor) -> Routing:
        seen.append(route(layer, *inputs))
        return seen[-1]

    with monkeypatch.context() as patched, torch.inference_mode():
        patched.setattr(MixtureOfExperts, "route", watched)
        model(torch.tensor(ids)[None])
    return seen


@pytest.mark.parametrize("name", ROUTERS)
def test_they_are_the_routers_own_choices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(replace(TOY, router=name))
    chosen = chosen_experts(model, IDS)
    routings = routers_choices(model, IDS, monkeypatch)
    assert chosen.shape == (len(IDS), TOY.num_mixture_layers, TOY.top_k)
    assert len(routings) == TOY.num_mixture_layers > 1
    for layer, routing in enumerate(routings):
        assert torch.equal(chosen[:, layer], routing.expert_GTK.flatten(0, 1))
        assert torch.equal(torch.bincount(chosen[:, layer].flatten(), minlength=TOY.num_experts), routing.load_E)


def test_nothing_is_dropped_whatever_was_trained_and_the_mode_is_as_before() -> None:
    model = made(replace(TOY, router="top2_capacity", capacity_factor=0.1))
    model.train()
    many = list(range(60))
    routing = model(torch.tensor(many)[None]).routing
    assert routing is not None
    assert float(routing.dropped_fraction) > 0, "training drops some of these"
    assert int(chosen_experts(model, many).max()) < TOY.num_experts
    assert model.training


def test_an_ids_choice_does_not_depend_on_what_comes_after_it() -> None:
    model = made(TOY)
    assert torch.equal(chosen_experts(model, IDS)[:4], chosen_experts(model, IDS[:4]))


def test_a_dense_model_has_no_mixture_layer() -> None:
    assert chosen_experts(made(dense_twin(TOY)), IDS).shape[:2] == (len(IDS), 0)
