"""Faults are injected: training goes back, meets other batches, and stops in the end."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch

from glam.energy.meter import PowerModelMeter
from glam.model.transformer import Transformer
from glam.records import Detour, StepMetrics
from glam.store import Folder
from glam.training import loop
from glam.training.checkpoint import DETOURS
from glam.training.clock import Clock
from glam.training.loop import STEPS
from glam.training.parallel import ParallelGroup
from glam.training.position import TOTALS, Position, end_of
from glam.training.stability import MOST_SKIPPED_IN_A_ROW, TrainingDiverged, after_detours
from glam.training.step import StepResult, train_step
from tests.training.conftest import final_weights, make_run, train_through

NUM_STEPS, ROLLBACK_EVERY = 60, 10
Fault = Callable[[int, Transformer, StepResult], StepResult]


def run_of(folder: Folder, **changes: Any) -> loop.Run:
    return make_run(folder, **{"num_steps": NUM_STEPS, "rollback_every": ROLLBACK_EVERY, "save_every": 7, **changes})


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fault], None]:
    """Lets a fault change the model or the result after each step; it is told the number of steps done before."""

    def injected(fault: Fault) -> None:
        def faulty(model: Transformer, *arguments: Any, first_row: int, **options: Any) -> StepResult:
            result = train_step(model, *arguments, first_row=first_row, **options)
            return fault(first_row // 4, model, result)

        monkeypatch.setattr(loop, "train_step", faulty)

    return injected


def spike_at(*steps: int) -> Fault:
    """A jump of the loss at each of these steps, the first time that it is met."""
    left = list(steps)

    def fault(step: int, _: Transformer, result: StepResult) -> StepResult:
        if step in left:
            left.remove(step)
            return dataclasses.replace(result, loss=result.loss + 10)
        return result

    return fault


def detours(folder: Folder) -> list[tuple[int, int]]:
    return [(each.step, each.left_at) for each in folder.read(DETOURS, Detour)]


def test_a_jump_of_the_loss_goes_back_to_an_earlier_checkpoint_and_other_batches(
    folder: Folder, other_folder: Folder, inject: Callable[[Fault], None]
) -> None:
    train_through(run_of(other_folder))
    inject(spike_at(45))
    train_through(run_of(folder))
    assert detours(folder) == [(40, 45)]
    plain, disturbed = other_folder.read(STEPS, StepMetrics), folder.read(STEPS, StepMetrics)
    assert [each.step for each in disturbed] == list(range(1, NUM_STEPS + 1))
    assert [each.loss for each in disturbed[:40]] == [each.loss for each in plain[:40]]
    assert all(one.loss != other.loss for one, other in zip(disturbed[40:], plain[40:], strict=True))
    assert [each.rollbacks for each in disturbed[38:42]] == [0, 0, 1, 1]
    assert end_of(folder).stream_hash != end_of(other_folder).stream_hash
    assert disturbed[40].elapsed_seconds > plain[0].elapsed_seconds


def test_a_second_jump_at_the_same_place_goes_back_further(folder: Folder, inject: Callable[[Fault], None]) -> None:
    inject(spike_at(45, 44))
    train_through(run_of(folder))
    assert detours(folder) == [(40, 44), (30, 45)]


def test_a_jump_that_comes_again_and_again_goes_back_one_further_each_time(
    folder: Folder, inject: Callable[[Fault], None]
) -> None:
    made: list[int] = []
    jumps = [45, 45, 33, 45]

    def fault(step: int, _: Transformer, result: StepResult) -> StepResult:
        made.append(step)
        if jumps and step == jumps[0]:
            jumps.pop(0)
            return dataclasses.replace(result, loss=result.loss + 10)
        return result

    inject(fault)
    train_through(run_of(folder, max_rollbacks=4))
    assert detours(folder) == [(40, 45), (30, 45), (20, 33), (20, 45)]
    assert made == [*range(46), *range(40, 46), *range(30, 34), *range(20, 46), *range(20, NUM_STEPS)], (
        "each of them was there to go back to"
    )


def test_what_is_saved_after_going_back_is_what_a_run_goes_on_from(
    folder: Folder, inject: Callable[[Fault], None]
) -> None:
    inject(spike_at(59))
    asked = iter(range(1, 1000))
    run = dataclasses.replace(run_of(folder, save_every=3), asked_to_stop=lambda: next(asked) == 59 + 3)
    with pytest.raises(loop.Stopped, match="after step 53"):
        train_through(run)
    assert train_through(run)[0].step == 54


@pytest.mark.parametrize("stop_after", [46, 52])
def test_a_detour_is_replayed_after_an_interruption(
    folder: Folder, other_folder: Folder, inject: Callable[[Fault], None], stop_after: int
) -> None:
    inject(spike_at(45))
    train_through(run_of(folder))
    inject(spike_at(45))
    train_through(run_of(other_folder), stop_after=stop_after)
    train_through(run_of(other_folder))
    assert detours(other_folder) == detours(folder)
    assert end_of(other_folder).stream_hash == end_of(folder).stream_hash
    assert final_weights(other_folder) == final_weights(folder)


def test_a_spike_before_the_first_checkpoint_starts_anew(folder: Folder, inject: Callable[[Fault], None]) -> None:
    inject(spike_at(35))
    train_through(run_of(folder, rollback_every=50))
    assert detours(folder) == [(0, 35)]
    assert end_of(folder).step == NUM_STEPS


def test_weights_that_are_not_finite_are_left_behind(folder: Folder, inject: Callable[[Fault], None]) -> None:
    broken = []

    def fault(step: int, model: Transformer, result: StepResult) -> StepResult:
        if step == 25 and not broken:
            broken.append(step)
            with torch.no_grad():
                model.embedding[0, 0] = float("inf")
        return result

    inject(fault)
    train_through(run_of(folder))
    assert detours(folder) == [(20, 26)]
    assert folder.read(DETOURS, Detour)[0].reason == "weights are not finite"
    assert all(torch.isfinite(torch.tensor(each.loss)) for each in folder.read(STEPS, StepMetrics))


def test_weights_that_the_last_step_has_broken_are_not_the_runs_weights(
    folder: Folder, inject: Callable[[Fault], None]
) -> None:
    broken = []

    def fault(step: int, model: Transformer, result: StepResult) -> StepResult:
        if step == NUM_STEPS - 1 and not broken:
            broken.append(step)
            with torch.no_grad():
                model.embedding[0, 0] = float("inf")
        return result

    inject(fault)
    train_through(run_of(folder, rollback_every=50))
    assert detours(folder) == [(50, NUM_STEPS - 1)]


def test_one_bad_batch_is_passed_over_and_many_in_a_row_are_not(
    folder: Folder, other_folder: Folder, inject: Callable[[Fault], None]
) -> None:
    def bad(steps: range) -> Fault:
        met: list[int] = []

        def fault(step: int, _: Transformer, result: StepResult) -> StepResult:
            if step in steps and step not in met:
                met.append(step)
                return dataclasses.replace(result, applied=False)
            return result

        return fault

    inject(bad(range(5, 6)))
    train_through(run_of(folder))
    assert (detours(folder), end_of(folder).skipped_steps) == ([], 1)
    inject(bad(range(22, 40)))
    train_through(run_of(other_folder))
    assert detours(other_folder)[0] == (20, 22 + MOST_SKIPPED_IN_A_ROW)


def test_going_back_is_bounded_and_then_says_what_to_do(folder: Folder, inject: Callable[[Fault], None]) -> None:
    inject(lambda step, _, result: dataclasses.replace(result, loss=result.loss + 10 * (step > 40)))
    with pytest.raises(TrainingDiverged, match=r"at step 41: the loss jumped .* gone back 2 times .*step 41.*lengthen"):
        train_through(run_of(folder, max_rollbacks=2))
    assert not (folder.path / TOTALS).exists()
    assert list((folder.path / "checkpoints").iterdir())


def test_no_spike_is_looked_for_where_none_is_asked_for(folder: Folder, inject: Callable[[Fault], None]) -> None:
    inject(spike_at(45))
    train_through(run_of(folder, spike_nats=None))
    assert detours(folder) == []


def test_a_position_that_is_loaded_is_the_one_that_was_saved() -> None:
    saved = Position(step=5, elapsed_seconds=1.0, skipped_steps=4, skipped_in_a_row=3, worker_counts=(2, 1))
    assert after_detours(saved, ()) == saved


def test_joules_of_steps_that_were_left_behind_count_also_from_the_very_beginning() -> None:
    left = Detour(step=0, left_at=9, reason="test", elapsed_seconds=5.0, energy_joules=7.0)
    back = after_detours(Position(step=0, elapsed_seconds=0.0), (left,))
    spent = Clock(PowerModelMeter(), ParallelGroup(), back).spent
    assert (spent["elapsed_seconds"], spent["energy_joules"]) == (5.0, 7.0)
