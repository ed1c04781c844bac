"""A run is the same run however often it was interrupted."""

import dataclasses
import hashlib
import logging
from typing import Any

import pytest
import torch

from glam.config import ModelConfig, RunOptions, TrainConfig, replace
from glam.model.saved import load_model
from glam.records import HeldoutPoint, HeldoutRows, StepMetrics
from glam.store import Folder, Store, StoreError
from glam.study import dense_twin
from glam.training.checkpoint import CHECKPOINTS, OPTIMIZER, discard
from glam.training.loop import HELDOUT, HELDOUT_ROWS, SPECIALIZATION, STEPS
from glam.training.position import Position, end_of
from glam.training.stability import step_to_go_back_to
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
    assert folder.read(HELDOUT_ROWS, HeldoutRows) == other_folder.read(HELDOUT_ROWS, HeldoutRows)
    assert folder.read_json(SPECIALIZATION) == other_folder.read_json(SPECIALIZATION)


def test_the_rows_of_a_held_out_point_make_its_loss(folder: Folder) -> None:
    train_through(make_run(folder))
    points, rows = folder.read(HELDOUT, HeldoutPoint), folder.read(HELDOUT_ROWS, HeldoutRows)
    assert [each.step for each in rows] == [each.step for each in points]
    for point, each in zip(points, rows, strict=True):
        assert (each.tokens, each.units) == ((16, 16, 16), ("one", "two", "one"))
        assert sum(each.nats) / sum(each.tokens) == pytest.approx(point.loss)


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


@pytest.mark.parametrize("optimizer", ["adafactor", "adamw"])
@pytest.mark.parametrize("model", [TOY, dense_twin(TOY)], ids=["sparse", "dense"])
def test_a_finished_run_goes_on_as_one_that_never_ended(store: Store, model: ModelConfig, optimizer: str) -> None:
    """Under a schedule that does not look at the number of steps."""
    short, long, continued = (finished(store, name) for name in ("short", "long", "continued"))
    changes: dict[str, Any] = {"model": model, "optimizer": optimizer, "num_steps": 9}
    train_through(make_run(long, **changes))
    train_through(make_run(short, **{**changes, "num_steps": 4}))
    short.commit(config={}, revision=0)
    going_on = make_run(continued, **changes, continues=4, save_every=2)
    going_on = dataclasses.replace(going_on, origin=short)
    train_through(going_on, stop_after=7)  # interrupted on its way
    train_through(going_on)
    assert final_weights(continued) == final_weights(long)
    assert (continued.path / OPTIMIZER).read_bytes() == (long.path / OPTIMIZER).read_bytes()
    assert [r.loss for r in continued.read(STEPS, StepMetrics)] == [r.loss for r in long.read(STEPS, StepMetrics)]
    assert end_of(continued).stream_hash == end_of(long).stream_hash
    assert end_of(continued).elapsed_seconds > end_of(short).elapsed_seconds


def test_a_continued_run_that_is_killed_while_it_copies_has_the_whole_curve(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, continued = finished(store, "short"), finished(store, "continued")
    train_through(make_run(short, num_steps=4))
    short.commit(config={}, revision=0)
    write, written = Folder.write_text, []

    def killed_at_the_second(folder: Folder, name: str, text: str) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(name)
        write(folder, name, text)

    monkeypatch.setattr(Folder, "write_text", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        train_through(dataclasses.replace(make_run(continued, num_steps=8, continues=4), origin=short))
    monkeypatch.undo()
    train_through(dataclasses.replace(make_run(continued, num_steps=8, continues=4), origin=short))
    assert [point.step for point in continued.read(HELDOUT, HeldoutPoint)] == [2, 4, 6, 8]
    assert [rows.step for rows in continued.read(HELDOUT_ROWS, HeldoutRows)] == [2, 4, 6, 8]
    assert [each.step for each in continued.read(STEPS, StepMetrics)] == list(range(1, 9))


def test_a_budget_is_of_the_run_itself_and_not_of_the_one_that_it_goes_on_from(store: Store) -> None:
    short, continued = finished(store, "short"), finished(store, "continued")
    train_through(make_run(short, num_steps=4))
    spent = end_of(short).model_copy(update={"elapsed_seconds": 3600.0})
    short.write_text("totals.json", spent.model_dump_json())
    short.commit(config={}, revision=0)
    run = dataclasses.replace(make_run(continued, num_steps=8, continues=4), origin=short)
    train_through(dataclasses.replace(run, options=replace(run.options, max_minutes=10.0)))
    assert end_of(continued).elapsed_seconds > 3600.0


def test_a_damaged_run_is_not_continued(store: Store) -> None:
    short, continued = finished(store, "short"), finished(store, "continued")
    train_through(make_run(short, num_steps=2))
    short.commit(config={}, revision=0)
    (short.path / OPTIMIZER).write_bytes((short.path / OPTIMIZER).read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match=OPTIMIZER):
        train_through(dataclasses.replace(make_run(continued, num_steps=4, continues=2), origin=short))


def test_a_continued_run_never_goes_back_beyond_its_beginning() -> None:
    config = TrainConfig(num_steps=40, continues=25, global_batch_size=1, rollback_every=10)
    assert step_to_go_back_to(Position(step=28, elapsed_seconds=0.0), "test", config) == 25
    assert step_to_go_back_to(Position(step=38, elapsed_seconds=0.0), "test", config) == 30


@pytest.mark.parametrize("model", [TOY, dense_twin(TOY)], ids=["sparse", "dense"])
def test_checkpoints_kept_for_good_stay_and_become_models(folder: Folder, model: ModelConfig) -> None:
    run = make_run(folder, model=model, num_steps=12)
    options = RunOptions(log_every=1, save_every=1, keep_every=4)
    train_through(dataclasses.replace(run, options=options))
    discard(folder, options, run.model, run.config)
    kept = sorted((folder.path / CHECKPOINTS).iterdir())
    assert [path.name for path in kept] == ["00000004", "00000008", "00000012"]
    final, last, earlier = (
        load_model(path).state_dict() for path in (folder.path, kept[-1] / "model", kept[0] / "model")
    )
    assert all(torch.equal(final[name], last[name]) for name in final)
    assert not all(torch.equal(final[name], earlier[name]) for name in final)


def test_no_checkpoint_stays_where_none_is_to_be_kept(folder: Folder) -> None:
    run = make_run(folder, save_every=1)
    train_through(run)
    discard(folder, run.options, run.model, run.config)
    assert not (folder.path / CHECKPOINTS).exists()


def finished(store: Store, name: str) -> Folder:
    with store.claim("runs", name, hashlib.sha256(name.encode()).hexdigest()[:16]) as folder:
        return folder
