"""A profile adds up, tells parts of the model apart, and changes nothing."""

import dataclasses
import gzip
import json
from pathlib import Path

import pytest

from glam.config import ModelConfig, RunOptions
from glam.records import StepProfile
from glam.store import Folder, FolderReference
from glam.study import dense_twin
from glam.training.loop import Run
from glam.training.parallel import ParallelGroup
from glam.training.profile import PARTS, PROFILE, TRACE
from tests.training.conftest import TOY, final_weights, make_run, train_through
from tests.training.on_workers import on_workers


def profiled(folder: Folder, model: ModelConfig = TOY, *, num_steps: int = 8, **options: object) -> Run:
    run = make_run(folder, model=model, num_steps=num_steps, optimizer="adafactor")
    return dataclasses.replace(run, options=RunOptions(log_every=1, save_every=5, profile=True, **options))


def read(folder: Folder) -> StepProfile:
    return StepProfile.model_validate_json((folder.path / PROFILE).read_bytes())


def test_parts_add_up_to_the_step(folder: Folder) -> None:
    train_through(profiled(folder))
    found = read(folder)
    assert found.num_steps == 4
    assert tuple(found.part_seconds) == PARTS
    assert sum(found.part_seconds.values()) == pytest.approx(found.step_seconds, rel=1e-3)
    assert {part for part, seconds in found.part_seconds.items() if not seconds} == {"communication"}
    trace = json.loads(gzip.decompress((folder.path / TRACE).read_bytes()))
    assert {"glam/attention", "glam/optimizer"} <= {event.get("name") for event in trace["traceEvents"]}


def test_gradients_count_where_the_forward_pass_was(folder: Folder) -> None:
    train_through(profiled(folder))
    trace = json.loads(gzip.decompress((folder.path / TRACE).read_bytes()))
    forward = sum(event["dur"] for event in trace["traceEvents"] if event.get("name") == "glam/attention") / 1e6
    found = read(folder)
    assert found.part_seconds["attention"] * found.num_steps > 1.2 * forward


def test_a_dense_model_has_neither_experts_nor_routing(folder: Folder) -> None:
    train_through(profiled(folder, dense_twin(TOY)))
    found = read(folder)
    assert found.part_seconds["experts"] == found.part_seconds["routing"] == 0
    assert found.part_seconds["dense"] > 0


def test_a_profile_changes_nothing(folder: Folder, other_folder: Folder) -> None:
    train_through(profiled(folder))
    train_through(make_run(other_folder, num_steps=8, optimizer="adafactor"))
    assert final_weights(folder) == final_weights(other_folder)


def test_a_run_that_ends_before_a_step_is_profiled_has_no_profile(folder: Folder) -> None:
    train_through(profiled(folder, num_steps=3))
    assert not (folder.path / PROFILE).exists()


def train_on_two(path: str, reference: FolderReference) -> None:
    train_through(profiled(Folder(Path(path), reference), num_workers=2), ParallelGroup.of_process_group())


def test_exchanges_of_workers_are_communication(folder: Folder, tmp_path: Path) -> None:
    on_workers(train_on_two, 2, tmp_path / "workers", str(folder.path), folder.reference)
    assert read(folder).part_seconds["communication"] > 0
