"""The step: shares of a batch add up, faults change nothing."""

import numpy as np
import pytest
import torch

from glam.config import TrainConfig, replace
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.training.optimizer import optimizer
from glam.training.parallel import ParallelGroup
from glam.training.step import StepResult, train_step, unpack
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]
CONFIG = TrainConfig(num_steps=10, global_batch_size=4, precision="float64")
ROWS = np.random.default_rng(0).integers(0, TOY.vocab_size, (4, 17))


def build() -> Transformer:
    model = Transformer(TOY).double()
    model.initialize(0)
    return model


def step(model: Transformer, config: TrainConfig = CONFIG, *, micro_batch_size: int | None = None) -> StepResult:
    optimizer_ = optimizer(model, config)
    return train_step(
        model, optimizer_, ROWS, config, end_of_text=0, group=ParallelGroup(), micro_batch_size=micro_batch_size
    )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_micro_batches_add_up_to_the_batch(size: int) -> None:
    whole, pieces = build(), build()
    one, other = step(whole), step(pieces, micro_batch_size=size)
    for field in ("loss", "grad_norm", "balance_loss", "z_loss", "load_imbalance", "router_entropy"):
        assert getattr(one, field) == pytest.approx(getattr(other, field), rel=1e-9), field
    for first, second in zip(whole.parameters(), pieces.parameters(), strict=True):
        assert torch.allclose(first, second, atol=1e-9)


def test_loss_is_cross_entropy_alone() -> None:
    assert step(build()).loss == step(build(), replace(CONFIG, balance_weight=5.0, z_loss_weight=5.0)).loss


def test_a_step_that_is_not_finite_changes_nothing() -> None:
    model = build()
    with torch.no_grad():
        model.embedding[3, 0] = float("nan")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = step(model)
    assert not result.applied
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) or torch.isnan(before[name]).any()


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("name", ["adamw", "adafactor"])
def test_gradients_that_are_not_finite_under_a_finite_loss_change_nothing_either(name: str, value: float) -> None:
    config = replace(CONFIG, optimizer=name)
    model = Transformer(replace(TOY, router="top_k_loss_free", router_bias_rate=0.01)).double()
    model.initialize(0)
    optimizer_ = optimizer(model, config)

    def state() -> dict[str, torch.Tensor]:
        moments = {
            f"{name} {moment}": tensor.clone()
            for name, parameter in model.named_parameters()
            for moment, tensor in optimizer_.state[parameter].items()
        }
        return {**{name: tensor.clone() for name, tensor in model.state_dict().items()}, **moments}

    def make_step() -> StepResult:
        return train_step(model, optimizer_, ROWS, config, end_of_text=0, group=ParallelGroup())

    assert make_step().applied
    before = state()
    spoiled = model.final_norm.scale.register_hook(lambda gradient: gradient.index_fill(0, torch.tensor([3]), value))
    result = make_step()
    assert np.isfinite(result.loss)
    assert not result.applied
    after = state()
    assert before.keys() == after.keys()
    assert [name for name, tensor in after.items() if not torch.equal(tensor, before[name])] == []
    spoiled.remove()
    assert make_step().applied


def test_random_second_experts_are_the_same_however_the_batch_is_cut() -> None:
    config = replace(TOY, router="top2_capacity", second_policy="random", sequence_length=16)
    losses = []
    for micro_batch_size in (None, 1):
        model = Transformer(config).double()
        model.initialize(0)
        losses.append(step(model, micro_batch_size=micro_batch_size).loss)
        assert step(model).dropped_fraction > 0
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_the_loss_free_router_moves_its_bias_after_a_step_by_the_load_of_the_whole_batch() -> None:
    config = replace(TOY, router="top_k_loss_free", router_bias_rate=0.01)
    biases = []
    for micro_batch_size in (None, 1):
        model = Transformer(config).double()
        model.initialize(0)
        step(model, micro_batch_size=micro_batch_size)
        biases.append(model.state_dict()["blocks.0.feed_forward.router_bias"])
    assert torch.equal(*biases)
    assert set(biases[0].abs().tolist()) <= {0.0, 0.01}
    assert biases[0].any()


def test_bfloat16_is_near_float32_and_keeps_float32_weights() -> None:
    losses = []
    for precision in ("float32", "bfloat16"):
        model = Transformer(TOY)
        model.initialize(0)
        losses.append(step(model, replace(CONFIG, precision=precision)).loss)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)


def test_ids_outside_the_vocabulary_are_an_error_before_anything_is_computed() -> None:
    model = build()
    with pytest.raises(ValueError, match="ids 0 to 512 are not all in the vocabulary of 0 to 511"):
        train_step(
            model,
            optimizer(model, CONFIG),
            np.array([[0, 1, 512]]),
            CONFIG,
            end_of_text=0,
            group=ParallelGroup(),
        )


def test_dense_models_report_no_routing() -> None:
    model = Transformer(dense_twin(TOY)).double()
    model.initialize(0)
    result = step(model)
    assert result.balance_loss is None
    assert result.load_imbalance is None


def test_a_segment_starts_at_each_end_of_text() -> None:
    inputs, targets, segment = unpack(np.array([[0, 5, 6, 0, 7, 8]]), 0)
    assert inputs.tolist() == [[0, 5, 6, 0, 7]]
    assert targets.tolist() == [[5, 6, 0, 7, 8]]
    assert segment.tolist() == [[1, 1, 1, 2, 2]]
