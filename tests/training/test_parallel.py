"""Workers in any layout are one worker with more hands."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from glam.config import ModelConfig, RunOptions, replace
from glam.records import HeldoutPoint, StepMetrics
from glam.store import Folder, Store
from glam.study import dense_twin
from glam.training.loop import TOTALS
from glam.training.parallel import ParallelGroup
from glam.training.position import Position
from tests.training.conftest import TOY, final_weights, make_run, train_through
from tests.training.on_workers import on_workers

STEPS = 20
MODELS = {
    "sparse": TOY,
    "dense": dense_twin(TOY),
    "capacity": replace(TOY, router="top2_capacity", second_policy="random", capacity_factor=1.0),
    "loss_free": replace(TOY, router="top_k_loss_free"),
}
TRAINED = {
    2: (*((kind, "adafactor") for kind in MODELS), ("sparse", "adamw")),
    4: (("sparse", "adafactor"), ("dense", "adafactor")),
}
TRAINED[1] = TRAINED[2]
TRAINED = {
    2: (*((kind, "adafactor") for kind in MODELS), ("sparse", "adamw")),
    4: (("sparse", "adafactor"), ("dense", "adafactor")),
}
TRAINED[1] = TRAINED[2]
LAYOUTS = {
    1: {"alone": {}},
    2: {"replicated": {}, "sharded": {"layout": "sharded"}, "experts": {"expert_parallel": 2}},
    4: {
        "sharded": {"layout": "sharded"},
        "experts": {"expert_parallel": 2},
        "all experts": {"expert_parallel": 4},
        "sharded experts": {"layout": "sharded", "expert_parallel": 2},
    },
}


def options(num_workers: int, layout: str) -> RunOptions:
    return RunOptions(num_workers=num_workers, log_every=1, **LAYOUTS[num_workers][layout])


def train_here(
    store: Store, name: str, model: ModelConfig, chosen: RunOptions, stop_after: int | None = None, **changes: Any
) -> Folder:
    """On this worker of its group, in the folder of that name; the first one makes it."""
    group = ParallelGroup.of_process_group(chosen)
    if group.is_first:
        with store.claim("runs", name, hashlib.sha256(name.encode()).hexdigest()[:16]):
            pass
    group.wait()
    (folder,) = store.named("runs", name)
    run = make_run(folder, model=model, **{"num_steps": STEPS, "heldout_every": 10, **changes})
    train_through(dataclasses.replace(run, options=chosen), group, stop_after=stop_after)
    return folder


def train_in_every_layout(root: str, num_workers: int) -> None:
    store = Store(root)
    for layout in LAYOUTS[num_workers]:
        for kind, optimizer in TRAINED[num_workers]:
            name = f"{kind}-{optimizer}-{num_workers}-{layout.replace(' ', '-')}"
            chosen = options(num_workers, layout)
            train_here(store, name, MODELS[kind], chosen, precision="float64", optimizer=optimizer)


@pytest.fixture(scope="module")
def trained_alone(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("alone"))
    train_in_every_layout(str(store.root), 1)
    return store


@pytest.mark.parametrize("num_workers", [2, 4])
def test_every_layout_agrees_with_one_worker_in_float64(
    store: Store, trained_alone: Store, tmp_path: Path, num_workers: int
) -> None:
    on_workers(train_in_every_layout, num_workers, tmp_path / "workers", str(store.root), num_workers)
    for folder in store.folders("runs"):
        kind, optimizer, *_ = folder.reference.label.split("-")
        (alone,) = trained_alone.named("runs", f"{kind}-{optimizer}-1-alone")
        for name, record in (("steps.jsonl", StepMetrics), ("heldout.jsonl", HeldoutPoint)):
            one, several = alone.read(name, record), folder.read(name, record)
            assert [(r.step, r.tokens) for r in one] == [(r.step, r.tokens) for r in several]
            assert [r.loss for r in several] == pytest.approx([r.loss for r in one], rel=1e-9), folder
        assert position(folder).stream_hash == position(alone).stream_hash


def position(folder: Folder) -> Position:
    return Position.model_validate_json((folder.path / TOTALS).read_bytes())


def go_on(root: str, num_workers: int, layout: str, stop_after: int | None) -> None:
    for kind in ("sparse", "dense"):
        chosen = replace(options(num_workers, layout), save_every=2)
        train_here(Store(root), kind, MODELS[kind], chosen, stop_after, precision="float64", optimizer="adafactor")


def test_a_checkpoint_is_loaded_by_any_number_of_workers_in_any_layout(
    store: Store, trained_alone: Store, tmp_path: Path
) -> None:
    attempts: Sequence[tuple[int, str, int | None]] = (
        (1, "alone", 4),
        (2, "sharded", 8),
        (4, "sharded experts", 12),
        (2, "experts", 16),
        (1, "alone", None),
    )
    for number, (num_workers, layout, stop_after) in enumerate(attempts):
        on_workers(go_on, num_workers, tmp_path / f"{number}", str(store.root), num_workers, layout, stop_after)
    for folder in store.folders("runs"):
        (alone,) = trained_alone.named("runs", f"{folder.reference.label}-adafactor-1-alone")
        one, several = alone.read("steps.jsonl", StepMetrics), folder.read("steps.jsonl", StepMetrics)
        assert [r.loss for r in several] == pytest.approx([r.loss for r in one], rel=1e-9)
        assert position(folder).stream_hash == position(alone).stream_hash


def train_twice_interrupted(root: str, num_workers: int, layout: str) -> None:
    for stop_after in (7, 13, None):
        chosen = replace(options(num_workers, layout), save_every=2)
        train_here(Store(root), "interrupted", TOY, chosen, stop_after, optimizer="adafactor")
    train_here(Store(root), "straight", TOY, options(num_workers, layout), optimizer="adafactor")


@pytest.mark.parametrize("layout", ["sharded experts"])
def test_several_workers_interrupted_twice_end_in_the_same_bits(store: Store, tmp_path: Path, layout: str) -> None:
    on_workers(train_twice_interrupted, 4, tmp_path / "workers", str(store.root), 4, layout)
    interrupted, straight = store.folders("runs")
    assert final_weights(interrupted) == final_weights(straight)


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(ValueError, match="global_batch_size=4 cannot be shared evenly by 3 workers"):
        ParallelGroup(rank=0, world_size=3).share(4)


def test_expert_groups_that_do_not_divide_the_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="expert_parallel=2 does not divide num_workers=3"):
        RunOptions(num_workers=3, expert_parallel=2)
