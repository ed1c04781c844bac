"""What is asked of a model that writes text is checked at once, and named by all that decides it."""

import pytest

from glam.config import replace
from glam.counting import count, forward_flops_at
from glam.inference import InferenceConfig
from glam.lineage import MACHINE, Checkpoint, inference_stage, measured_elsewhere
from glam.records import Machine
from glam.store import FolderReference, Store
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]
CHECKPOINT = Checkpoint("sparse-s0", "/nowhere", "a" * 64, "b" * 64, "c" * 64, heldout=None)
HERE = Machine(processor="Fast", gpu=None, cores=2, torch="2.0")
RUN = FolderReference(kind="runs", label="sparse-s0", fingerprint="1" * 16)


@pytest.mark.parametrize("positions", [1, 32, TOY.sequence_length])
def test_a_token_costs_what_rows_of_the_positions_it_attends_to_cost(positions: int) -> None:
    assert forward_flops_at(TOY, positions) == count(replace(TOY, sequence_length=positions)).forward_flops_per_token


def test_flops_are_the_mean_over_the_passes_that_write_one_token() -> None:
    asked = InferenceConfig(prompt_tokens=7, new_tokens=5)
    passes = [forward_flops_at(TOY, 7 + written) for written in range(1, 5)]
    assert asked.flops_per_token(TOY) == pytest.approx(sum(passes) / len(passes))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"batch_sizes": (8, 1)}, "must rise"),
        ({"batch_sizes": (1, 1)}, "must rise"),
        ({"batch_sizes": ()}, "at least 1 item"),
        ({"batch_sizes": (0,)}, "greater than or equal to 1"),
        ({"new_tokens": 1}, "greater than or equal to 2"),
    ],
)
def test_what_cannot_be_measured_is_refused(asked: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InferenceConfig.model_validate(asked)


def test_more_than_a_row_holds_is_refused_by_name() -> None:
    InferenceConfig(prompt_tokens=32, new_tokens=32).check_room(TOY, "sparse")
    with pytest.raises(ValueError, match="sparse: prompt_tokens=33 and new_tokens=32 exceed its sequence_length=64"):
        InferenceConfig(prompt_tokens=33, new_tokens=32).check_room(TOY, "sparse")


def mark(checkpoint: Checkpoint = CHECKPOINT, machine: Machine = HERE, **asked: object) -> str:
    measured = InferenceConfig.model_validate(asked)
    return inference_stage(checkpoint, measured, machine, RUN).stage.reference.fingerprint


def test_weights_settings_threads_and_machine_name_a_measurement_and_labels_do_not() -> None:
    other = Checkpoint("sparse-s0", "/nowhere", "d" * 64, "b" * 64, "c" * 64, heldout=None)
    named = Checkpoint("elsewhere", "/somewhere", "a" * 64, "b" * 64, "c" * 64, heldout=None)
    marks = [
        mark(),
        mark(other),
        mark(machine=HERE.model_copy(update={"cores": 4})),
        mark(machine=HERE.model_copy(update={"torch": "2.1"})),
        mark(machine=HERE.model_copy(update={"gpu": "Faster"})),
        mark(batch_sizes=(1,)),
        mark(threads=2),
        mark(new_tokens=8),
    ]
    assert len(set(marks)) == len(marks)
    assert mark(named) == mark()


def test_a_measurement_reads_its_run_and_is_found_from_another_machine(store: Store) -> None:
    stage = inference_stage(CHECKPOINT, InferenceConfig(), HERE, RUN).stage
    with store.claim(**stage.reference.model_dump()) as folder:
        stage.commit(folder)
    assert folder.manifest().reads == (str(RUN),)
    assert folder.manifest().config[MACHINE] == {"processor": "Fast", "gpu": None, "cores": 2, "torch": "2.0"}
    slow = HERE.model_copy(update={"processor": "Slow"})
    there = inference_stage(CHECKPOINT, InferenceConfig(), slow, RUN).stage
    assert there.find(store) is None
    assert [found.path for found in measured_elsewhere(there, store)] == [folder.path]
    otherwise = inference_stage(CHECKPOINT, InferenceConfig(threads=2), slow, RUN).stage
    assert list(measured_elsewhere(otherwise, store)) == []
