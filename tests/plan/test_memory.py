"""Memory by part: held against what autograd and the optimizers of this project keep, and the laws of sharding."""

from dataclasses import replace as with_

import pytest
import torch

from glam.config import ModelConfig, TrainConfig, replace
from glam.counting import count
from glam.model.transformer import Transformer
from glam.plan.activations import activations
from glam.plan.clusters import Cluster
from glam.plan.job import Job
from glam.plan.layout import Layout
from glam.plan.memory import PROCESS_BYTES, Memory, memory
from glam.plan.weights import weigh
from glam.study import dense_twin
from glam.training.optimizer import optimizer
from glam.variants import VARIANTS
from tests.plan.conftest import make_cluster

pytestmark = pytest.mark.usefixtures("one_thread")

SPARSE = VARIANTS["ladder_1m_8e"]
SMALL = replace(SPARSE, vocab_size=512, num_layers=2)
MODELS = {
    "sparse": SMALL,
    "dense_twin": dense_twin(SMALL),
    "dense": replace(dense_twin(SMALL), moe_every=0),
    "ungated_relu": replace(dense_twin(SMALL), moe_every=0, dense_gated=False, dense_activation="relu"),
    "gated_experts": replace(SMALL, expert_gated=True, expert_activation="gelu"),
    "rope": replace(SMALL, positions="rope"),
    "wide_heads": replace(SMALL, head_dim=64),
}


def job_of(
    model: ModelConfig = SPARSE,
    layout: Layout = Layout(),  # noqa: B008 - frozen
    *,
    rows: int = 64,
    micro_rows: int = 1,
    recompute: bool = False,
    cluster: Cluster | None = None,
    **train: object,
) -> Job:
    config = TrainConfig(num_steps=1, global_batch_size=rows, **{"precision": "bfloat16", **train})
    place = cluster or make_cluster(layout.num_devices)
    return Job(model, config, place, layout, micro_rows, recompute, weigh(model))


def on_processor(model: ModelConfig, rows: int, precision: str, optimizer: str = "adafactor") -> Job:
    place = make_cluster(1, kind="processor")
    return job_of(model, rows=rows, micro_rows=rows, cluster=place, precision=precision, optimizer=optimizer)


def kept_by_autograd(model: ModelConfig, rows: int, precision: str) -> int:
    """Bytes of a forward pass that are kept for the gradient, parameters themselves aside."""
    made = Transformer(model)
    made.initialize(0)
    made.train()
    parameters = {each.untyped_storage().data_ptr() for each in made.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in parameters:
            kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    ids = torch.randint(model.vocab_size, (rows, model.sequence_length))
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"),
    ):
        made(ids, torch.zeros_like(ids))
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_activations_and_cast_weights_are_what_autograd_keeps(name: str, precision: str) -> None:
    rows, model = 3, MODELS[name]
    job = on_processor(model, rows, precision)
    kept = activations(job)
    predicted = kept.blocks + kept.end + memory(job).casts
    assert predicted == pytest.approx(kept_by_autograd(model, rows, precision), rel=0.02)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("chosen", ["adafactor", "adamw"])
def test_weights_and_optimizer_are_those_that_training_makes(name: str, chosen: str) -> None:
    made = Transformer(MODELS[name])
    made.initialize(0)
    config = TrainConfig(num_steps=1, global_batch_size=1, optimizer=chosen)
    states = optimizer(made, config).state.values()
    state = sum(each.nbytes for state in states for key, each in state.items() if key != "step")
    held = memory(on_processor(MODELS[name], 1, "float32", optimizer=chosen))
    assert held.weights == sum(each.nbytes for each in made.parameters())
    assert held.optimizer == pytest.approx(state, abs=0.5)


def test_largest_tensor_is_the_largest_parameter() -> None:
    for name, model in MODELS.items():
        largest = weigh(model).largest
        with torch.device("meta"):
            numbers = [each.numel() for each in Transformer(model).parameters()]
        assert max(largest.outside, largest.blocks, largest.experts) == max(numbers), name


@pytest.mark.parametrize("model", [SPARSE, dense_twin(SPARSE)])
def test_full_sharding_leaves_one_nth_of_weights_gradients_and_optimizer(model: ModelConfig) -> None:
    alone = memory(job_of(model))
    for num_devices in (2, 8, 64):
        shared = memory(job_of(model, Layout(sharded=num_devices)))
        for part in ("weights", "gradients", "optimizer"):
            assert getattr(shared, part) * num_devices == pytest.approx(getattr(alone, part), rel=1e-9)


def test_sharded_experts_are_cut_among_all_as_well() -> None:
    alone = memory(job_of())
    assert memory(job_of(layout=Layout(sharded=4, expert=8))).weights * 32 == pytest.approx(alone.weights)


def test_shared_out_experts_leave_the_rest_whole() -> None:
    counts = count(SPARSE)
    held = memory(job_of(layout=Layout(expert=4)))
    assert held.weights == 4 * (counts.total_params - counts.expert_params * 3 / 4)


def test_copies_hold_everything() -> None:
    assert memory(job_of(layout=Layout(data=8))).weights == memory(job_of()).weights


def test_with_a_pipeline_sharding_cuts_the_optimizer_alone() -> None:
    model = replace(dense_twin(SPARSE), num_layers=8)
    whole, cut = (
        memory(job_of(model, Layout(data=data, sharded=sharded, pipeline=2), optimizer="adamw"))
        for data, sharded in ((4, 1), (1, 4))
    )
    assert cut.weights == whole.weights
    assert cut.optimizer == pytest.approx(whole.optimizer / 4)


def parts(held: Memory) -> float:
    return held.weights + held.gradients + held.optimizer


def test_activations_grow_with_rows_and_states_do_not() -> None:
    one, two = (memory(job_of(micro_rows=rows)) for rows in (1, 2))
    assert two.activations == pytest.approx(2 * one.activations)
    assert two.logits == 2 * one.logits
    assert parts(two) == parts(one)


def test_recomputing_keeps_what_enters_the_blocks() -> None:
    deep = replace(SPARSE, num_layers=16)
    kept, again = (memory(job_of(deep, micro_rows=64, recompute=recompute)) for recompute in (False, True))
    assert again.activations < kept.activations / 4
    assert again.casts < kept.casts
    assert parts(again) == parts(kept)


def test_a_processor_holds_libraries_and_three_times_the_state_that_it_writes() -> None:
    held = memory(on_processor(SPARSE, 8, "float32"))
    assert held.process == PROCESS_BYTES
    assert held.checkpoint == 3 * (held.weights + held.optimizer)
    assert held.peak == pytest.approx(
        held.weights + held.optimizer + held.checkpoint + held.process + held.activations + held.logits
    )
    assert held.moment == "loss"


def test_the_optimizers_step_is_the_worst_moment_of_a_large_model_on_few_tokens() -> None:
    job = on_processor(VARIANTS["ladder_16m_32e"], 1, "float32")
    held = memory(job)
    assert held.moment == "update"
    assert held.peak >= held.weights + held.gradients + held.optimizer + held.update


def test_what_is_missing_is_what_the_device_lacks() -> None:
    job = job_of()
    need = memory(job).peak
    small = with_(job, cluster=make_cluster(1, memory_bytes=need))
    held = memory(small)
    assert not held.fits
    assert held.missing == pytest.approx(need - held.usable)
