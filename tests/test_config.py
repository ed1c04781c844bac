"""Configurations are frozen, refuse what they do not know, and check themselves."""

import pytest
from pydantic import ValidationError

from glam.config import DataConfig, EvalConfig, Experiment, ModelConfig, SplitConfig, TrainConfig, replace
from glam.recipes import smoke
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]


def test_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="num_expert"):
        replace(TOY, num_expert=2)


def test_replace_validates_again() -> None:
    with pytest.raises(ValidationError, match="top_k=4 exceeds num_experts=2"):
        replace(TOY, num_experts=2, top_k=4)


def test_replace_reaches_nested_fields_and_leaves_the_original() -> None:
    experiment = smoke().arms["sparse"]
    changed = replace(experiment, train={"num_steps": 3})
    assert changed.train.num_steps == 3
    assert experiment.train.num_steps != 3
    assert changed.model == experiment.model


def test_config_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TOY.num_layers = 3  # type: ignore[misc]


def test_experts_need_a_layer_to_hold_them() -> None:
    with pytest.raises(ValidationError, match="moe_every=0"):
        replace(TOY, moe_every=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"router": "top2_capacity", "top_k": 3}, "chooses two experts, top_k=3"),
        (
            {"router": "top2_capacity", "capacity_factor": 0.01},
            "capacity_factor=0.01 gives each of 4 experts 0.16 slots in a routing group of 64 tokens",
        ),
        ({"router": "top2"}, "top2_capacity"),
        ({"routing_group_tokens": 24}, "routing_group_tokens=24 does not divide sequence_length=64"),
        ({"positions": "rope", "head_dim": 15}, "even head_dim, not 15"),
        ({"vocab_size": 1 << 32}, "vocab_size"),
        ({"num_heads": 0}, "num_heads"),
    ],
)
def test_impossible_models_are_refused_with_their_numbers(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        replace(TOY, **changes)


def test_model_and_data_agree_on_the_sequence_length() -> None:
    experiment = smoke().arms["sparse"]
    with pytest.raises(ValidationError, match=r"model.sequence_length=128 differs from data.sequence_length=64"):
        replace(experiment, model={"sequence_length": 128})


def test_expert_width_defaults_to_the_dense_width() -> None:
    model = ModelConfig(vocab_size=8, num_layers=1, model_dim=4, num_heads=1, head_dim=4, hidden_dim=12)
    assert model.expert_hidden_dim == 12


def test_model_and_tokenizer_agree_on_the_vocabulary() -> None:
    experiment = smoke().arms["sparse"]
    with pytest.raises(ValidationError, match="vocab_size=600"):
        Experiment(data=experiment.data, model=replace(experiment.model, vocab_size=600), train=experiment.train)


@pytest.mark.parametrize(("every", "steps"), [(0, (10,)), (4, (4, 8, 10)), (5, (5, 10)), (99, (10,))])
def test_held_out_loss_is_always_taken_at_the_end(every: int, steps: tuple[int, ...]) -> None:
    assert TrainConfig(num_steps=10, global_batch_size=1, heldout_every=every).heldout_steps == steps


def test_a_preparation_judged_as_another_shares_its_split_seed() -> None:
    with pytest.raises(ValidationError, match=r"split\.seed=1, but judged_as has 0: .* the same seed"):
        DataConfig(split=SplitConfig(seed=1), judged_as=DataConfig())


@pytest.mark.parametrize("twice", [{"tasks": ("piqa", "copa", "piqa")}, {"shots": (0, 0)}])
def test_nothing_is_asked_twice(twice: dict[str, tuple]) -> None:
    with pytest.raises(ValidationError, match="names one twice"):
        EvalConfig.model_validate(twice)
