"""A run is the same run however often it was interrupted."""

import logging

import pytest

from glam.records import HeldoutPoint, StepMetrics
from glam.store import Folder
from glam.study import dense_twin
from glam.training.loop import HELDOUT, STEPS
from tests.training.conftest import TOY, final_weights, make_run, train_through


@pytest.mark.parametrize("model", [TOY, dense_twin(TOY)], ids=["sparse", "dense"])
@pytest.mark.parametrize("stops", [(3, 5), (1, 2)], ids=str)
def test_interrupted_twice_ends_in_the_same_bits(
    folder: Folder, other_folder: Folder, model: object, stops: tuple[int, int]
) -> None:
    train_through(make_run(folder, model=model))
    for stop in stops:
        train_through(make_run(other_folder, model=model, save_every=2), stop_after=stop)
    train_through(make_run(other_folder, model=model, save_every=2))
    assert final_weights(folder) == final_weights(other_folder)


def test_state_of_every_optimizer_comes_back(folder: Folder, other_folder: Folder) -> None:
    train_through(make_run(folder, optimizer="adafactor"))
    train_through(make_run(other_folder, optimizer="adafactor", save_every=2), stop_after=3)
    train_through(make_run(other_folder, optimizer="adafactor", save_every=2))
    assert final_weights(folder) == final_weights(other_folder)


def test_records_of_an_interrupted_run_are_those_of_a_straight_one(folder: Folder, other_folder: Folder) -> None:
    train_through(make_run(folder))
    train_through(make_run(other_folder, save_every=2), stop_after=5)
    train_through(make_run(other_folder, save_every=2))
    for name, kind in ((STEPS, StepMetrics), (HELDOUT, HeldoutPoint)):
        straight, resumed = (
            [(r.step, r.tokens, r.loss) for r in each.read(name, kind)] for each in (folder, other_folder)
        )
        assert straight == resumed
        assert [step for step, _, _ in straight] == ([1, 2, 3, 4, 5, 6] if name == STEPS else [2, 4, 6])


def test_time_goes_on_over_attempts(folder: Folder) -> None:
    first = train_through(make_run(folder, save_every=2), stop_after=4)
    second = train_through(make_run(folder, save_every=2))
    assert second[0].step == 3
    assert second[0].elapsed_seconds > first[1].elapsed_seconds


def test_a_finished_run_does_nothing_more(folder: Folder) -> None:
    train_through(make_run(folder))
    before = final_weights(folder)
    assert train_through(make_run(folder)) == []
    assert final_weights(folder) == before


@pytest.mark.parametrize("damage", ["cut", "flipped", "no description"])
def test_a_damaged_checkpoint_is_passed_over_and_the_log_says_so(
    folder: Folder, other_folder: Folder, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    train_through(make_run(folder))
    train_through(make_run(other_folder, save_every=2), stop_after=5)
    newest = other_folder.path / "checkpoints" / "00000004"
    weights = next(newest.glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    if damage == "cut":
        weights.write_bytes(content[:-100])
    elif damage == "flipped":
        content[-1] ^= 1
        weights.write_bytes(content)
    else:
        (newest / "checkpoint.json").unlink()
    with caplog.at_level(logging.WARNING):
        assert train_through(make_run(other_folder, save_every=2))[0].step == 3
    assert "looking for an older checkpoint" in caplog.text
    assert final_weights(folder) == final_weights(other_folder)


def test_it_learns(folder: Folder) -> None:
    logged = train_through(make_run(folder, num_steps=60))
    assert logged[-1].loss < 0.8 * logged[0].loss


def test_unknown_energy_stays_unknown(folder: Folder) -> None:
    assert {(metrics.energy_joules, metrics.energy_method) for metrics in train_through(make_run(folder))} == {
        (None, "none")
    }
