"""An independent reference: with the same weights our model is transformers' Mixtral, its dense twin their Llama."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("transformers")

from glam.bench.measure import Contestant
from glam.bench.model import peer
from glam.bench.model.ours import END_OF_TEXT, check_flops, random_rows
from glam.bench.model.races import generation, layer_against_peer, rope_gated, training_step
from glam.bench.rows import Race
from glam.config import ModelConfig, replace
from glam.model.transformer import Transformer
from glam.study import dense_twin

pytestmark = pytest.mark.usefixtures("one_thread")


SPARSE = replace(rope_gated("toy_4e"), num_experts=4)
MODELS = {"mixtral": SPARSE, "llama": dense_twin(SPARSE)}


def ours(config: ModelConfig) -> Transformer:
    model = Transformer(config)
    model.initialize(0)
    return model.eval()


def theirs(model: Transformer, experts: str = "eager") -> Any:
    """Their model with our weights.

    They divide logits of attention by sqrt(head_dim), and do not scale what goes into the tied product.
    """
    config = model.config
    made = peer.build(config, experts).eval()
    weights = model.state_dict()
    copied = {"embed_tokens.weight": weights["embedding"]}
    copied["norm.weight"] = weights["final_norm.scale"] * config.model_dim**-0.5
    for layer in range(config.num_layers):
        ours, there = f"blocks.{layer}", f"layers.{layer}"
        copied[f"{there}.input_layernorm.weight"] = weights[f"{ours}.attention_norm.scale"]
        copied[f"{there}.post_attention_layernorm.weight"] = weights[f"{ours}.feed_forward_norm.scale"]
        copied[f"{there}.self_attn.q_proj.weight"] = weights[f"{ours}.attention.query"].T * config.head_dim**0.5
        for name, short in (("key", "k"), ("value", "v"), ("out", "o")):
            copied[f"{there}.self_attn.{short}_proj.weight"] = weights[f"{ours}.attention.{name}"].T
        feed_forward = f"{ours}.feed_forward.experts"
        into, gate, out = (weights[f"{feed_forward}.weight_{name}"].mT for name in ("in", "gate", "out"))
        if config.num_experts == 1:
            # What they call the gate goes through the activation; ours is what multiplies it.
            copied[f"{there}.mlp.gate_proj.weight"], copied[f"{there}.mlp.up_proj.weight"] = into[0], gate[0]
            copied[f"{there}.mlp.down_proj.weight"] = out[0]
        else:
            copied[f"{there}.mlp.experts.gate_up_proj"] = torch.cat((into, gate), dim=1)
            copied[f"{there}.mlp.experts.down_proj"] = out
            copied[f"{there}.mlp.gate.weight"] = weights[f"{ours}.feed_forward.router"].T
    made.model.load_state_dict(copied)
    return made


@pytest.mark.parametrize("name", MODELS)
def test_same_weights_give_the_same_logits_and_gradients(name: str) -> None:
    model = ours(MODELS[name])
    reference = theirs(model)
    rows = torch.from_numpy(random_rows(model.config, 2))
    inputs, targets = rows[:, :-1], rows[:, 1:].flatten()
    logits, expected = model(inputs).logits_BSV, reference(inputs, use_cache=False).logits
    assert torch.allclose(logits, expected, atol=1e-4, rtol=0), (logits - expected).abs().max()
    for each in (logits, expected):
        F.cross_entropy(each.flatten(0, 1), targets).backward()
    gradient, expected = model.embedding.grad, reference.model.embed_tokens.weight.grad
    assert gradient is not None
    assert torch.allclose(gradient, expected, atol=1e-5, rtol=1e-3), (gradient - expected).abs().max()


@pytest.mark.parametrize("name", MODELS)
def test_both_sides_do_the_floating_point_operations_that_are_counted(name: str) -> None:
    model = ours(MODELS[name])
    check_flops(model, model.config)
    check_flops(peer.build(model.config), model.config)
    with pytest.raises(AssertionError, match="FLOPs per token, not"):
        check_flops(peer.build(model.config), replace(model.config, num_layers=3))


@pytest.mark.parametrize(
    "tiny",
    [
        layer_against_peer(512, 16, 32, 4, goal=1.0),
        training_step("toy_4e", "sparse"),
        training_step("toy_4e", "dense"),
        generation("toy_4e", num_prompts=2, tokens=8),
    ],
    ids=lambda tiny: tiny.claims[0].name,
)
def test_their_contestants_can_be_built_and_called_twice(tiny: Race) -> None:
    (others,) = [given for name, given in tiny.contestants.items() if name in ("peer", "same_allocator")]
    assert not isinstance(others, Contestant)
    for contestant in others:
        call = getattr(peer, contestant.builder.removeprefix("glam.bench.model.peer:"))(**contestant.arguments)
        call()
        call()


@pytest.mark.parametrize("change", [{"positions": "t5_bias"}, {"moe_every": 2}, {"expert_gated": False}])
def test_what_the_peer_cannot_express_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="nothing else"):
        peer.peer_config(replace(SPARSE, **change), "eager")


def test_data_is_the_same_every_time_and_holds_no_end_of_text() -> None:
    rows = random_rows(SPARSE, 4, seed=1)
    assert (rows == random_rows(SPARSE, 4, seed=1)).all()
    assert rows.shape == (4, SPARSE.sequence_length + 1)
    assert rows.min() > END_OF_TEXT
