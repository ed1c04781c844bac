"""Our contestants: bare steps, the loop around them, whole runs in process and under Ray, and a resumed process.

All train on the text that quickstart prepares; `store` is where that lies. What they write goes into folders that end
with their process.
"""

import atexit
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import count as count_up
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from glam.config import Experiment, ModelConfig, RunOptions, TrainConfig
from glam.counting import count
from glam.data.loader import Loader
from glam.data.tokenizer import END_OF_TEXT_ID
from glam.energy.meter import open_meter
from glam.lineage import data_stages, run_stage
from glam.memory import peak_bytes
from glam.model.transformer import Transformer
from glam.plan.layout import Layout
from glam.plan.machine import this_machine
from glam.plan.plan import make_plan
from glam.recipes import PYTHON_DOCS
from glam.records import StepMetrics
from glam.store import Folder, Store
from glam.training.checkpoint import CheckpointWriter
from glam.training.loop import STEPS, Run, train
from glam.training.optimizer import optimizer
from glam.training.parallel import ParallelGroup
from glam.training.position import Position
from glam.training.step import train_step
from workers.alone import AloneOrder, run_order
from workers.cluster import cluster
from workers.run import open_run
from workers.train import train as train_under_ray

Call = Callable[[], object]

ENDLESS = 100_000
"""Steps of a run that never comes to its end here."""
WARM_UP_STEPS = 2
NUM_BATCHES = 8
MEMORY_STEPS = 3


def bare_steps(store: str, model: Mapping[str, Any], num_rows: int, num_steps: int) -> Call:
    """Optimizer steps on batches that lie in memory, and nothing else."""
    run = _Bench(store, model, num_rows, ENDLESS)
    made = Transformer(run.model)
    made.initialize(run.train.seed)
    stepper, group = optimizer(made, run.train), ParallelGroup()
    loader = Loader(prepared_shards(store), global_batch_size=num_rows, seed=run.train.seed)
    batches = cycle([loader.batch(step) for step in range(NUM_BATCHES)])

    def call() -> None:
        for _ in range(num_steps):
            train_step(made, stepper, next(batches), run.train, end_of_text=END_OF_TEXT_ID, group=group)

    return call


def loop_steps(
    store: str, model: Mapping[str, Any], num_rows: int, num_steps: int, save_every: int | None = None
) -> Call:
    """As many steps of the loop, each with its record, and a checkpoint every so many; None: none."""
    run = _Bench(store, model, num_rows, ENDLESS)
    options = RunOptions(log_every=1, save_every=save_every or ENDLESS)
    steps = train(run.open(run.new_folder(), options), ParallelGroup(), open_meter())

    def call() -> None:
        for _ in range(num_steps):
            next(steps)

    return call


def run_alone(store: str, model: Mapping[str, Any], num_rows: int, num_steps: int, **settings: Any) -> Call:
    """A whole run in this process."""
    run = _Bench(store, model, num_rows, num_steps, **settings)

    def go() -> Folder:
        folder = run.new_folder()
        for _ in train(run.open(folder, RunOptions(log_every=1, save_every=ENDLESS)), ParallelGroup(), open_meter()):
            pass
        return folder

    return partial(_timed, go)


def run_under_ray(
    store: str,
    model: Mapping[str, Any],
    num_rows: int,
    num_steps: int,
    num_workers: int = 1,
    threads: int = 2,
    **settings: Any,
) -> Call:
    """The same through Ray Train, on a Ray that was started before."""
    run = _Bench(store, model, num_rows, num_steps, **settings)
    options = RunOptions(num_workers=num_workers, threads_per_worker=threads, log_every=1, save_every=ENDLESS)
    running = ExitStack()
    running.enter_context(cluster(cpus_needed=num_workers * threads))
    atexit.register(running.close)
    return partial(
        _timed, lambda: train_under_ray(run.stage, run.new_store(), options, lambda *_: None, lambda _: None)
    )


def first_step(store: str, model: Mapping[str, Any], num_rows: int, resumed_from: int) -> Call:
    """From the start of a process to the end of its first step, from a checkpoint of that step."""
    run = _Bench(store, model, num_rows, ENDLESS)
    options, folder, group = RunOptions(log_every=1, save_every=ENDLESS), run.new_folder(), ParallelGroup()
    made = Transformer(run.model)
    made.initialize(run.train.seed)
    writer = CheckpointWriter(folder, run.train, options, group)
    writer.save(Position(step=resumed_from, elapsed_seconds=1.0), made, optimizer(made, run.train))
    writer.wait()
    order = run.order(folder, options).model_copy(update={"kill_at": resumed_from + 1})
    return lambda: run_order(order, run.new_place())


def worker_memory(store: str, small: Mapping[str, Any], large: Mapping[str, Any], rows: tuple[int, int]) -> Call:
    """Facts: the peaks of three runs, each with what `glam plan` says of it, and what they differ by: a parameter, from
    two models of the same active size, and a token, from two batches.
    """
    few, many = rows
    runs = {"small": (small, few), "large": (large, few), "small_many_rows": (small, many)}

    def measured(model: Mapping[str, Any], num_rows: int) -> int:
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as fresh:
            return fresh.submit(_peak_of_a_run, store, model, num_rows).result()

    def planned(model: Mapping[str, Any], num_rows: int) -> float:
        run, threads = _Bench(store, model, num_rows, MEMORY_STEPS), RunOptions().threads_per_worker
        job = {"layout": Layout(), "micro_batch_rows": num_rows, "recompute": False}
        return make_plan(run.model, run.train, 1.0, this_machine(threads), **job).memory.peak

    def call() -> dict[str, float]:
        sizes = [count(ModelConfig.model_validate(model)).total_params for model in (small, large)]
        tokens = (many - few) * int(small["sequence_length"])
        peaks = {name: measured(*run) for name, run in runs.items()}
        return {
            "bytes_per_parameter": (peaks["large"] - peaks["small"]) / (sizes[1] - sizes[0]),
            "bytes_per_token": (peaks["small_many_rows"] - peaks["small"]) / tokens,
            **peaks,
            **{f"{name}_planned": planned(*run) for name, run in runs.items()},
        }

    return call


def _peak_of_a_run(store: str, model: Mapping[str, Any], num_rows: int) -> int:
    run = _Bench(store, model, num_rows, MEMORY_STEPS)
    for _ in train(run.open(run.new_folder(), RunOptions()), ParallelGroup(), open_meter()):
        pass
    return peak_bytes()


def _timed(go: Callable[[], Folder]) -> dict[str, float]:
    """Facts of a run: seconds of a step once it is warm, and those that are spent on anything but steps."""
    started = time.perf_counter()
    folder = go()
    wall = time.perf_counter() - started
    steps = folder.read(STEPS, StepMetrics)
    warm, last = steps[WARM_UP_STEPS - 1], steps[-1]
    return {
        "step_seconds": (last.elapsed_seconds - warm.elapsed_seconds) / (last.step - warm.step),
        "other_seconds": wall - last.elapsed_seconds,
    }


def prepared_shards(store: str) -> Path:
    """The rows that all train on."""
    return Store(store).open("shards", data_stages(PYTHON_DOCS).shards.reference.fingerprint).path


class _Bench:
    """A run on quickstart's text, in a store of its own that borrows what was prepared."""

    def __init__(self, store: str, model: Mapping[str, Any], num_rows: int, num_steps: int, **train: Any):
        torch.set_num_threads(RunOptions().threads_per_worker)
        self._prepared = Store(store)
        self._places: Iterator[int] = count_up()
        self._scratch = Path(_scratch())
        self.model = ModelConfig.model_validate(model)
        # The few steps that are measured stand for many: no checkpoint falls among them unless it is asked for.
        self.train = TrainConfig(
            num_steps=num_steps,
            global_batch_size=num_rows,
            learning_rate=1e-4,
            heldout_sequences=1,
            rollback_every=ENDLESS,
            **train,
        )
        experiment = Experiment(data=PYTHON_DOCS, model=self.model, train=self.train)
        self.stage = run_stage("bench", 0, experiment, data_stages(PYTHON_DOCS))

    @property
    def _reads(self) -> dict[str, str]:
        return {read.kind: read.fingerprint for read in self.stage.stage.reads}

    def new_place(self) -> Path:
        """A path at which there is nothing yet."""
        return self._scratch / f"{next(self._places)}"

    def new_store(self) -> Store:
        """With the prepared folders and no run."""
        place = self.new_place()
        for read in self.stage.stage.reads:
            found = self._prepared.open(read.kind, read.fingerprint).path
            (place / read.kind).mkdir(parents=True)
            (place / read.kind / found.name).symlink_to(found, target_is_directory=True)
        return Store(place)

    def new_folder(self) -> Folder:
        """Of a run that has not begun."""
        with Store(self.new_place()).claim(**self.stage.stage.reference.model_dump()) as folder:
            return folder

    def open(self, folder: Folder, options: RunOptions) -> Run:
        """The run for the loop in this process."""
        return open_run(self._prepared, self.model, self.train, self._reads, folder, options)

    def order(self, folder: Folder, options: RunOptions) -> AloneOrder:
        """The run for processes of its own."""
        return AloneOrder(
            store_root=self._prepared.root,
            model=self.model,
            train=self.train,
            reads=self._reads,
            run_path=folder.path,
            reference=folder.reference,
            options=options,
        )


def _scratch() -> str:
    """A folder that is removed as this process ends."""
    made = tempfile.TemporaryDirectory(prefix="glam-bench-")
    atexit.register(made.cleanup)
    return made.name
