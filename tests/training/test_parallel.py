"""Workers in any layout are one worker with more hands."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

from glam.config import ModelConfig, RunOptions, TrainConfig, replace
from glam.model.transformer import Transformer
from glam.records import Detour, HeldoutPoint, HeldoutRows, StepMetrics
from glam.store import Folder, Store
from glam.study import dense_twin
from glam.training import loop
from glam.training.checkpoint import discard
from glam.training.loop import SPECIALIZATION
from glam.training.parallel import LARGE, ParallelGroup, whole
from glam.training.position import end_of
from glam.training.step import StepResult, objective, train_step, unpack
from tests.training.conftest import TOY, Stream, final_weights, make_run, train_through
from tests.training.on_workers import on_workers

STEPS = 20
CONFIG = TrainConfig(num_steps=STEPS, global_batch_size=4)
MODELS = {
    "sparse": TOY,
    "dense": dense_twin(TOY),
    "capacity": replace(TOY, router="top2_capacity", second_policy="random", capacity_factor=1.0),
    "loss_free": replace(TOY, router="top_k_loss_free"),
}
TRAINED = {
    2: (
        *((kind, "adafactor", "float64") for kind in MODELS),
        *((kind, "adafactor", "float32") for kind in ("sparse", "dense")),
        ("sparse", "adamw", "float64"),
    ),
    3: (("sparse", "adafactor", "float64"),),
    4: tuple((kind, "adafactor", precision) for kind in ("sparse", "dense") for precision in ("float64", "float32")),
}
TRAINED[1] = tuple({*TRAINED[2], *TRAINED[4]})
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}
LAYOUTS = {
    1: {"alone": {}},
    2: {"replicated": {}, "sharded": {"layout": "sharded"}, "experts": {"expert_parallel": 2}},
    3: {"replicated": {}, "sharded": {"layout": "sharded", "micro_batch_size": 1}},
    4: {
        "replicated": {},
        "sharded": {"layout": "sharded"},
        "experts": {"expert_parallel": 2},
        "all experts": {"expert_parallel": 4},
        "sharded experts": {"layout": "sharded", "expert_parallel": 2},
    },
}


def options(num_workers: int, layout: str) -> RunOptions:
    return RunOptions(num_workers=num_workers, log_every=1, **LAYOUTS[num_workers][layout])


def train_here(
    store: Store,
    name: str,
    model: ModelConfig,
    chosen: RunOptions,
    stop_after: int | None = None,
    origin: Folder | None = None,
    **changes: Any,
) -> Folder:
    """On this worker of its group, in the folder of that name; the first one makes it."""
    group = ParallelGroup.of_process_group(chosen)
    if group.is_first:
        with store.claim("runs", name, hashlib.sha256(name.encode()).hexdigest()[:16]):
            pass
    group.wait()
    (folder,) = store.named("runs", name)
    run = make_run(folder, model=model, **{"num_steps": STEPS, "heldout_every": 10, **changes})
    train_through(dataclasses.replace(run, options=chosen, origin=origin), group, stop_after=stop_after)
    return folder


def train_in_every_layout(root: str, num_workers: int) -> None:
    store = Store(root)
    for layout in LAYOUTS[num_workers]:
        for kind, optimizer, precision in TRAINED[num_workers]:
            if kind == "dense" and "experts" in layout:
                continue  # it has none: the same layout without
            name = f"{kind}-{optimizer}-{precision}-{num_workers}-{layout.replace(' ', '-')}"
            chosen = options(num_workers, layout)
            train_here(store, name, MODELS[kind], chosen, precision=precision, optimizer=optimizer)


@pytest.fixture(scope="module")
def trained_alone(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("alone"))
    train_in_every_layout(str(store.root), 1)
    return store


def average_of_gradients() -> float:
    """The largest error over small and large gradients, one of them transposed."""
    group = ParallelGroup.of_process_group()
    shapes = [(3,), (2, LARGE), (LARGE,), (LARGE // 8, 16), (5, 7)]

    def gradients(rank: int) -> list[torch.Tensor]:
        drawn = torch.Generator().manual_seed(rank)
        return [torch.randn(shape, generator=drawn, dtype=torch.float64) for shape in shapes]

    model = torch.nn.ParameterList([torch.nn.Parameter(torch.zeros_like(each)) for each in gradients(0)])
    for parameter, gradient in zip(model, gradients(group.rank), strict=True):
        parameter.grad = gradient
    model[3].grad = gradients(group.rank)[3].T.contiguous().T
    group.average_gradients(model)
    everyone = [gradients(rank) for rank in range(group.world_size)]
    means = [sum(each) / group.world_size for each in zip(*everyone, strict=True)]
    return max(float((parameter.grad - mean).abs().max()) for parameter, mean in zip(model, means, strict=True))


@pytest.mark.parametrize("num_workers", [2, 3])
def test_gradients_of_any_size_become_the_mean_over_workers(num_workers: int, tmp_path: Path):
    assert on_workers(average_of_gradients, num_workers, tmp_path / "workers") == pytest.approx(
        [0.0] * num_workers, abs=1e-12
    )


@pytest.mark.parametrize("num_workers", [2, 3, 4], ids=["2", "3, of which one takes two rows", "4"])
def test_every_layout_agrees_with_one_worker(
    store: Store, trained_alone: Store, tmp_path: Path, num_workers: int
) -> None:
    on_workers(train_in_every_layout, num_workers, tmp_path / "workers", str(store.root), num_workers)
    for folder in store.folders("runs"):
        kind, optimizer, precision, *_ = folder.reference.label.split("-")
        (alone,) = trained_alone.named("runs", f"{kind}-{optimizer}-{precision}-1-alone")
        for name, record in (("steps.jsonl", StepMetrics), ("heldout.jsonl", HeldoutPoint)):
            one, several = alone.read(name, record), folder.read(name, record)
            assert [(r.step, r.tokens) for r in one] == [(r.step, r.tokens) for r in several]
            losses = pytest.approx([r.loss for r in one], rel=TOLERANCE[precision])
            assert [r.loss for r in several] == losses, folder
        rows = [each.read("heldout_rows.jsonl", HeldoutRows) for each in (alone, folder)]
        assert len(rows[0]) == len(rows[1]) > 0
        for one, several in zip(*rows, strict=True):
            assert (one.step, one.units) == (several.step, several.units)
            assert several.nats == pytest.approx(one.nats, rel=TOLERANCE[precision])
        assert end_of(folder).stream_hash == end_of(alone).stream_hash
        if precision == "float64" and kind != "dense":
            assert folder.read_json(SPECIALIZATION) == alone.read_json(SPECIALIZATION)


def first_gradients(root: str, num_workers: int) -> None:
    """Writes the gradients of the first step, and the losses of all, in float32."""
    for layout in LAYOUTS[num_workers]:
        for kind in ("sparse", "dense"):
            chosen = options(num_workers, layout)
            group = ParallelGroup.of_process_group(chosen)
            model = Transformer(MODELS[kind])
            model.initialize(0)
            group.distribute(model)
            rows = Stream().rows(0, *share_of(group))
            inputs, targets, segments = unpack(rows, 0)
            output = model(inputs, segments)
            loss = cross_entropy(output.logits_BSV.flatten(0, 1), targets.flatten())
            objective(loss, torch.zeros(()), output.routing, CONFIG).backward()
            group.average_gradients(model)
            gradients = {name: whole(parameter.grad) for name, parameter in model.named_parameters()}
            if group.is_first:
                save_file(gradients, Path(root) / f"{kind}-{num_workers}-{layout.replace(' ', '-')}.safetensors")


def share_of(group: ParallelGroup) -> tuple[int, int]:
    share = group.share(4)
    return share.start, share.stop


@pytest.mark.parametrize("num_workers", [2, 4])
def test_first_gradients_agree_in_float32(tmp_path: Path, num_workers: int) -> None:
    first_gradients(str(tmp_path), 1)
    on_workers(first_gradients, num_workers, tmp_path / "workers", str(tmp_path), num_workers)
    for path in tmp_path.glob(f"*-{num_workers}-*.safetensors"):
        alone = load_file(tmp_path / f"{path.name.split('-')[0]}-1-alone.safetensors")
        several = load_file(path)
        for name, gradient in alone.items():
            assert (several[name] - gradient).norm() <= 1e-5 * gradient.norm(), (path.name, name)


def go_on(root: str, num_workers: int, layout: str, stop_after: int | None) -> None:
    for kind in ("sparse", "dense"):
        chosen = replace(options(num_workers, layout), save_every=2)
        changes = {"precision": "float64", "optimizer": "adafactor", "num_steps": 8, "flat_steps": 8}
        train_here(Store(root), kind, MODELS[kind], chosen, stop_after, **changes)


def test_a_checkpoint_is_loaded_by_any_number_of_workers_in_any_layout(
    store: Store, trained_alone: Store, tmp_path: Path
) -> None:
    attempts: Sequence[tuple[int, str, int | None]] = (
        (1, "alone", 3),  # a step after the one that is saved
        (2, "sharded", 5),
        (4, "sharded experts", 7),
        (1, "alone", None),
    )
    for number, (num_workers, layout, stop_after) in enumerate(attempts):
        on_workers(go_on, num_workers, tmp_path / f"{number}", str(store.root), num_workers, layout, stop_after)
    straight = Store(tmp_path / "straight")
    go_on(str(straight.root), 1, "alone", None)
    for folder in store.folders("runs"):
        (never_stopped,) = straight.named("runs", folder.reference.label)
        assert end_of(folder).worker_counts == (1, 2, 4, 1), "each went on from where the one before had been"
        assert end_of(folder).stream_hash == end_of(never_stopped).stream_hash
        (alone,) = trained_alone.named("runs", f"{folder.reference.label}-adafactor-float64-1-alone")
        one, several = alone.read("steps.jsonl", StepMetrics), folder.read("steps.jsonl", StepMetrics)
        assert [r.loss for r in several] == pytest.approx([r.loss for r in one[:8]], rel=1e-9)


def train_through_a_jump(root: str, num_workers: int, layout: str) -> list[list[int]]:
    """Detours of a run in which the loss jumps at its 36th step, the first time that it is made."""
    jumps = [35]

    def faulty(*arguments: Any, **options: Any) -> StepResult:
        result = train_step(*arguments, **options)
        if jumps and options["first_row"] // 4 == jumps[0]:
            jumps.pop()
            return dataclasses.replace(result, loss=result.loss + 10)
        return result

    chosen = replace(options(num_workers, layout), save_every=3)
    with mock.patch.object(loop, "train_step", faulty):
        folder = train_here(Store(root), "jump", TOY, chosen, num_steps=40, rollback_every=10, precision="float64")
    return [[each.step, each.left_at] for each in folder.read("detours.jsonl", Detour)]


@pytest.mark.parametrize("layout", ["replicated", "sharded"])
def test_two_workers_go_back_together(store: Store, tmp_path: Path, layout: str) -> None:
    assert train_through_a_jump(str(tmp_path / "alone"), 1, "alone") == [[30, 35]]
    found = on_workers(train_through_a_jump, 2, tmp_path / "workers", str(store.root), 2, layout)
    assert found == [[[30, 35]]] * 2
    (together,), (alone,) = store.folders("runs"), Store(tmp_path / "alone").folders("runs")
    assert end_of(together).stream_hash == end_of(alone).stream_hash
    one, other = together.read("steps.jsonl", StepMetrics), alone.read("steps.jsonl", StepMetrics)
    assert [r.loss for r in one] == pytest.approx([r.loss for r in other], rel=1e-9)


def train_twice_interrupted(root: str, num_workers: int, layout: str) -> None:
    changes = {"optimizer": "adafactor", "num_steps": 8}
    for stop_after in (3, 5, None):
        chosen = replace(options(num_workers, layout), save_every=2)
        train_here(Store(root), "interrupted", TOY, chosen, stop_after, **changes)
    train_here(Store(root), "straight", TOY, options(num_workers, layout), **changes)


@pytest.mark.parametrize("layout", ["replicated", "sharded", "experts"])
def test_two_workers_interrupted_twice_end_in_the_same_bits(store: Store, tmp_path: Path, layout: str) -> None:
    on_workers(train_twice_interrupted, 2, tmp_path / "workers", str(store.root), 2, layout)
    interrupted, straight = store.folders("runs")
    assert final_weights(interrupted) == final_weights(straight)


def test_every_row_of_a_batch_is_of_one_worker() -> None:
    for world_size in range(1, 8):
        shares = [ParallelGroup(rank=rank, world_size=world_size).share(7) for rank in range(world_size)]
        assert [row for share in shares for row in range(7)[share]] == list(range(7))


def test_workers_without_a_row_are_refused() -> None:
    with pytest.raises(ValueError, match="global_batch_size=4 leaves some of 5 workers without a row"):
        ParallelGroup(rank=0, world_size=5).share(4)


def test_fewer_workers_are_allowed_only_where_others_hold_all_they_held() -> None:
    with pytest.raises(ValueError, match="min_workers=3 exceeds num_workers=2"):
        RunOptions(num_workers=2, min_workers=3)
    with pytest.raises(ValueError, match="holds experts that no other has"):
        RunOptions(num_workers=4, min_workers=2, expert_parallel=2)
    assert RunOptions(num_workers=4, min_workers=2, threads_per_worker=3).cpus_needed == 6


@pytest.mark.skipif(torch.cuda.is_available(), reason="speaks of machines without a GPU")
def test_a_gpu_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="use_gpu=true, and torch finds no GPU here"):
        ParallelGroup.of_process_group(RunOptions(use_gpu=True))


def go_on_from_the_end(root: str, num_workers: int, layout: str) -> None:
    (origin,) = Store(root).named("runs", "short")
    changes = {"precision": "float64", "optimizer": "adafactor", "num_steps": 8, "continues": 5, "flat_steps": 8}
    chosen = replace(options(num_workers, layout), keep_every=4, save_every=4)
    folder = train_here(Store(root), "continued", TOY, chosen, origin=origin, **changes)
    group = ParallelGroup.of_process_group(chosen)
    if group.is_first:
        discard(folder, chosen, TOY, make_run(folder, model=TOY, **changes).config)


@pytest.mark.parametrize("layout", ["sharded", "sharded experts"])
def test_a_finished_run_goes_on_in_another_layout_and_its_kept_parts_become_a_model(
    store: Store, tmp_path: Path, layout: str
) -> None:
    changes = {"precision": "float64", "optimizer": "adafactor", "flat_steps": 8}
    short = train_here(store, "short", TOY, options(1, "alone"), num_steps=5, **changes)
    straight = train_here(store, "straight", TOY, options(1, "alone"), num_steps=8, **changes)
    short.commit(config={}, revision=0)
    on_workers(go_on_from_the_end, 4, tmp_path / "workers", str(store.root), 4, layout)
    (continued,) = store.named("runs", "continued")
    one, several = straight.read("steps.jsonl", StepMetrics), continued.read("steps.jsonl", StepMetrics)
    assert [r.loss for r in several] == pytest.approx([r.loss for r in one], rel=1e-9)
    assert end_of(continued).stream_hash == end_of(straight).stream_hash
    assert end_of(continued).worker_counts == (4,)
    weights, kept = load_file(continued.path / "model.safetensors"), continued.path / "checkpoints/00000008/model"
    assert all(torch.equal(weights[name], tensor) for name, tensor in load_file(kept / "model.safetensors").items())


def test_expert_groups_that_do_not_divide_the_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="expert_parallel=2 does not divide num_workers=3"):
        RunOptions(num_workers=3, expert_parallel=2)
