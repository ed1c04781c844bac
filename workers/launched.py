"""A run of a study under a launcher of processes, as torchrun or a cluster's own, without Ray:

    torchrun --nproc-per-node 2 -m workers.launched quickstart sparse-s0 --run-set layout=sharded

Every process is one worker; RANK, LOCAL_RANK and WORLD_SIZE say which. The text must be prepared, in a store that all
of them see. The run is the one that `glam train` makes: complete, it is trained by neither again.
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
import torch.distributed as dist

from glam import environment
from glam.config import RunOptions
from glam.energy.meter import open_meter
from glam.lineage import RunStage, study_stages
from glam.recipes import recipe as find_recipe
from glam.store import Folder, Store, StoreError
from glam.study import override, run_options
from glam.training.loop import Stopped, train
from glam.training.parallel import ParallelGroup, backend
from workers.begin import begin
from workers.finish import finish
from workers.run import STOP, open_run

STOPPED, INTERRUPTED = 1, 130


def launched(run: RunStage, recipe: str, store: Store, options: RunOptions) -> None:
    """Trains as one worker of those that were launched, from the newest healthy checkpoint.

    Raises ValueError where the text is not prepared, and what `glam.training.loop.train` raises.
    """
    label = run.stage.reference.label
    for read in run.stage.reads:
        if store.find(read.kind, read.fingerprint) is None:
            advice = "train that run first" if read.kind == "runs" else f"glam prepare {recipe}"
            raise ValueError(f"{read} is not in {store.root}, and {label} needs it: {advice}")
    with _process_group(options), ExitStack() as exits:
        group = ParallelGroup.of_process_group(options)
        reference = run.stage.reference
        if group.is_first:
            claimed = exits.enter_context(store.claim(**reference.model_dump()))
            if not claimed.complete:
                begin(run, claimed)
                claimed.remove(STOP)  # of an earlier attempt
        group.of_first(0)  # nobody looks for the folder before it is there
        folder = store.find(reference.kind, reference.fingerprint)
        assert folder is not None, "the first worker has claimed it"
        if folder.complete:
            return
        reads = {read.kind: read.fingerprint for read in run.stage.reads}
        work = open_run(store, run.experiment.model, run.experiment.train, reads, folder, options)
        with _stopped_by_signals(folder):
            for metrics in train(work, group, open_meter(gpus=group.node_gpus)):
                if group.is_first:
                    sys.stderr.write(f"{label} step {metrics.step:,}: loss {metrics.loss:.4f}\n")
        if group.is_first:
            folder.remove(STOP)  # where it came during the last step
            finish(run, store, folder, options)


def find_run(recipe: str, label: str, settings: Sequence[str]) -> RunStage:
    """The run of a study by its label. Raises ValueError listing those that there are."""
    runs = {run.stage.reference.label: run for run in study_stages(override(find_recipe(recipe), settings)).runs}
    if label not in runs:
        raise ValueError(f"{recipe!r} has no run {label!r}; its runs: {', '.join(runs)}")
    return runs[label]


@contextmanager
def _process_group(options: RunOptions) -> Iterator[None]:
    if options.num_workers == 1:
        yield
        return
    dist.init_process_group(backend(options))
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def _stopped_by_signals(folder: Folder) -> Iterator[None]:
    """Ctrl-C, or the launcher's SIGTERM, asks all workers for a checkpoint of the running step."""
    received: list[int] = []

    def ask(number: int, _: object) -> None:
        received.append(number)
        (folder.path / STOP).touch()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Stopped as stopped:
        if received:
            raise KeyboardInterrupt from stopped
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 done, 1 stopped by a budget of the options or unable to go on, 2 wrong use, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m workers.launched", description="One worker of a run, as torchrun starts it."
    )
    parser.add_argument("recipe")
    parser.add_argument("run", help="ARM-sSEED")
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="settings")
    # As --run of `glam train`, which torchrun would take for an option of its own.
    parser.add_argument("--run-set", action="append", default=[], metavar="KEY=VALUE", dest="run_settings")
    parser.add_argument("--threads", type=int, default=RunOptions().threads_per_worker)
    parser.add_argument("--store", type=Path)
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    try:
        options = run_options(int(os.environ.get("WORLD_SIZE", "1")), asked.threads, asked.run_settings)
        store = Store.default() if asked.store is None else Store(asked.store)
        launched(find_run(asked.recipe, asked.run, asked.settings), asked.recipe, store, options)
    except ValueError as error:
        sys.stderr.write(f"glam: {error}\n")
        return 2
    except StoreError as error:  # Stopped and TrainingDiverged are two of them
        sys.stderr.write(f"glam: {error}\n")
        return STOPPED
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    environment.apply()
    if not environment.CPU_ALLOCATOR.keys() <= os.environ.keys():  # read as a process starts, and launchers know none
        os.environ.update({**environment.CPU_ALLOCATOR, **os.environ})
        os.execv(sys.executable, [sys.executable, "-m", "workers.launched", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
