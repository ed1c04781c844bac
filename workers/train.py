"""Training through Ray Train: one group of workers a run; the store, not Ray, knows the checkpoints."""

import contextlib
import os
import shutil
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import ray
import torch
import torch.distributed as dist
from ray.train import FailureConfig, RunConfig, ScalingConfig, WorkerGroupError, get_context
from ray.train.collective import broadcast_from_rank_zero
from ray.train.v2.api import data_parallel_trainer
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from glam import environment
from glam.config import RunOptions
from glam.energy.meter import open_meter
from glam.lineage import RunStage
from glam.records import HeldoutPoint, StepMetrics
from glam.store import Folder, Store, StoreError
from glam.training.loop import Stopped
from glam.training.loop import train as train_loop
from glam.training.parallel import ParallelGroup, backend
from glam.training.position import TOTALS
from glam.training.stability import TrainingDiverged
from infra.places import ray_snapshots
from infra.processors import RAY_ADDRESS, NotEnoughResources
from workers.begin import begin
from workers.finish import finish
from workers.follow import Follower, warnings_written
from workers.run import STOP, open_run
from workers.signals import heard_while_ray_waits

RENDEZVOUS_SECONDS = 120
MAX_FAILURES = 2
DIVERGED = "diverged.txt"
"""In a run's folder, from the workers to the driver: why going on would end the same."""
POLL_SECONDS = 0.5
SECONDS_TO_SAVE = 8.0
"""After a signal to end; what Prefect cancels is killed after 30 s. Without, the newest checkpoint is what is left."""

OnMetrics = Callable[[Sequence[StepMetrics], Sequence[HeldoutPoint]], None]
OnWarning = Callable[[str], None]


@dataclass(frozen=True)
class TrainOrder:
    """What a worker is sent: names and configurations, no data."""

    store_root: str
    run: RunStage
    options: RunOptions


def train(run: RunStage, store: Store, options: RunOptions, on_metrics: OnMetrics, on_warning: OnWarning) -> Folder:
    """The complete folder of a run, trained now if it is not there; waits if another process trains it.

    `on_metrics` is called from a thread of this process with what the workers have logged since, `on_warning` with what
    they warn of, such as a damaged checkpoint. Expects a connected Ray.
    """
    reference = run.stage.reference
    with store.claim(reference.kind, reference.label, reference.fingerprint) as folder:
        if folder.complete:
            return folder
        order = TrainOrder(str(store.root), run, options)
        begin(run, folder)
        folder.remove(STOP)
        folder.remove(DIVERGED)
        with _following(folder, on_metrics, on_warning):
            _fit(order, folder)
        finish(run, store, folder, options)
    return folder


def train_on_worker(order: TrainOrder) -> None:
    """Runs once per Ray worker; knows Ray and nothing about transformers."""
    torch.set_num_threads(order.options.threads_per_worker)
    store, run = Store(order.store_root), order.run
    with _process_group(order.options), contextlib.ExitStack() as stack:
        group = ParallelGroup.of_process_group(order.options, local_rank=get_context().get_local_rank())
        if group.is_first:
            # A worker of a killed attempt may still be writing for a moment.
            stack.enter_context(store.lock(_writer_lock(run), patience_seconds=60))
        folder = store.find("runs", run.stage.reference.fingerprint)
        assert folder is not None, "the driver claims the folder before it sends workers"
        if group.is_first:
            stack.enter_context(warnings_written(folder))
        reads = {read.kind: read.fingerprint for read in run.stage.reads}
        work = open_run(store, run.experiment.model, run.experiment.train, reads, folder, order.options)
        # Ray would take either for a failure and start again. Whoever asked to stop knows; the driver reads the other.
        with contextlib.suppress(Stopped):
            try:
                for _ in train_loop(work, group, open_meter(gpus=group.node_gpus)):
                    pass
            except TrainingDiverged as error:
                if group.is_first:
                    folder.write_text(DIVERGED, str(error))


class _Trainer(DataParallelTrainer):
    """Ray's, which on Ctrl-C ends its workers; here the first one asks them for a checkpoint, the second ends them."""

    def __init__(self, folder: Folder, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._folder = folder
        self.interrupted = False

    def _register_sigint_handler(self, controller: Any) -> None:
        super()._register_sigint_handler(controller)
        end_workers = signal.getsignal(signal.SIGINT)

        def handler(number: int, frame: FrameType | None) -> None:
            if self.interrupted and callable(end_workers):
                end_workers(number, frame)
            self.interrupted = True
            (self._folder.path / STOP).touch()
            sys.stderr.write("glam: saving a checkpoint of the running step; press Ctrl-C again to end without\n")

        signal.signal(signal.SIGINT, handler)


def _fit(order: TrainOrder, folder: Folder) -> None:
    options, snapshots = order.options, ray_snapshots(Path(order.store_root))
    if options.use_gpu and ray.cluster_resources().get("GPU", 0) < options.fewest_workers:
        raise NotEnoughResources(
            f"{options.fewest_workers} workers with a GPU each asked for, the Ray cluster has "
            f"{ray.cluster_resources().get('GPU', 0):g} GPUs: ask for fewer (--workers), or leave use_gpu away"
        )
    # A fresh name for each attempt: Ray refuses to go on where it knew a checkpoint that is gone.
    name = f"{order.run.stage.reference.label}-{uuid.uuid4().hex[:8]}"
    trainer = _Trainer(
        folder,
        partial(train_on_worker, order),
        scaling_config=ScalingConfig(
            num_workers=options.num_workers
            if options.min_workers is None
            else (options.min_workers, options.num_workers),
            use_gpu=options.use_gpu,
            resources_per_worker={"CPU": options.threads_per_worker, **({"GPU": 1} if options.use_gpu else {})},
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(snapshots),
            failure_config=FailureConfig(max_failures=MAX_FAILURES + options.num_workers - options.fewest_workers),
        ),
    )
    ctrl_c = signal.getsignal(signal.SIGINT)
    with _no_wait_for_a_dashboard(), heard_while_ray_waits():
        try:
            trainer.fit()
        except WorkerGroupError as error:
            raise _failure(order, error) from error
        except SystemExit as error:  # what Ray Train makes of Ctrl-C, once its workers have ended
            raise KeyboardInterrupt from error
        except Exception:
            raise
        except BaseException:  # a signal to this process, such as of Cancel on Prefect's pages
            _wait_for_checkpoint(order, folder)
            raise
        finally:
            signal.signal(signal.SIGINT, ctrl_c)
            shutil.rmtree(snapshots / name, ignore_errors=True)
            folder.remove(STOP)
    if trainer.interrupted:  # also when training ended meanwhile: whoever pressed Ctrl-C wants no further stage
        raise KeyboardInterrupt
    if (diverged := folder.path / DIVERGED).exists():
        reason = diverged.read_text("utf-8")
        folder.remove(DIVERGED)
        raise TrainingDiverged(f"{order.run.stage.reference.label}: {reason}")
    if not (folder.path / TOTALS).exists():
        raise Stopped(
            f"{order.run.stage.reference.label} stopped where --run max_minutes or max_joules says so, with a "
            "checkpoint; the same command with more of it goes on from there"
        )


def _wait_for_checkpoint(order: TrainOrder, folder: Folder) -> None:
    """Asks the workers to save the running step; the first of them gives its lock back when it has."""
    (folder.path / STOP).touch()
    lock = _writer_lock(order.run)
    with contextlib.suppress(StoreError), Store(order.store_root).lock(lock, patience_seconds=SECONDS_TO_SAVE):
        pass


def _writer_lock(run: RunStage) -> str:
    """Of the first worker, as long as it trains."""
    return f"runs-{run.stage.reference.fingerprint}.writer"


def _failure(order: TrainOrder, error: WorkerGroupError) -> StoreError:
    """What went wrong on the first worker that failed, in one sentence."""
    rank, failure = min(error.worker_failures.items())
    last_words = str(failure).strip().splitlines()[-1]
    return StoreError(
        f"training of {order.run.stage.reference.label} failed {MAX_FAILURES + 1} times, last on worker {rank}: "
        f"{last_words}. What was saved is kept: mend the cause and run the same command again"
    )


@contextlib.contextmanager
def _no_wait_for_a_dashboard() -> Iterator[None]:
    """Ends a run on a local Ray at once instead of after 12 s.

    Ray Train's guard over placement groups asks the dashboard, which a local Ray of ours does not have, and
    the controller waits for the answer. A local Ray ends with its driver, so the guard has nothing to guard.
    """
    if RAY_ADDRESS in os.environ:
        yield
        return
    impatient = partial(data_parallel_trainer.PlacementGroupCleanerCallback, stop_timeout=0.1)
    with mock.patch.object(data_parallel_trainer, "PlacementGroupCleanerCallback", impatient):
        yield


@contextlib.contextmanager
def _process_group(options: RunOptions) -> Iterator[None]:
    """A group whose store listens where the node is reached: on loopback when all workers are here."""
    context = get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    if world_size == 1:
        yield
        return
    alone = context.get_local_world_size() == world_size
    timeout = timedelta(seconds=RENDEZVOUS_SECONDS)
    if rank == 0:
        host = environment.LOOPBACK if alone else ray.util.get_node_ip_address()
        listener = socket.create_server((host, 0))
        port = listener.getsockname()[1]
        store = dist.TCPStore(
            host, port, world_size, True, timeout, wait_for_workers=False, master_listen_fd=listener.detach()
        )
        broadcast_from_rank_zero((host, port))
    else:
        # The rest receives what rank 0 sends; its own argument is ignored.
        host, port = broadcast_from_rank_zero(("", 0))
        store = dist.TCPStore(host, port, world_size, False, timeout)
    dist.init_process_group(backend(options), store=store, rank=rank, world_size=world_size, timeout=timeout)
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def _following(folder: Folder, on_metrics: OnMetrics, on_warning: OnWarning) -> Iterator[None]:
    """Hands over new records and warnings of an open run as they appear, and the rest at the end."""
    stop, follower = threading.Event(), Follower(folder)

    def follow() -> None:
        last_round = False
        while not last_round:
            last_round = stop.wait(POLL_SECONDS)
            for words in follower.warnings():
                on_warning(words)
            steps, points = follower.new()
            if steps or points:
                on_metrics(steps, points)

    thread = threading.Thread(target=follow, name=f"follow {folder.reference}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
