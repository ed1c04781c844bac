"""Training by an order in processes of their own, which may be killed: for `glam certify` and the benchmarks.

    python -m workers.alone ORDER.json

The order is an `AloneOrder`. The folder of the run must be open already. People start `workers.launched`.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from pydantic import BaseModel, ConfigDict

from glam import environment
from glam.config import ModelConfig, RunOptions, TrainConfig
from glam.energy.meter import open_meter
from glam.store import Folder, FolderReference, Store, StoreError
from glam.training.loop import train
from glam.training.parallel import ParallelGroup, backend
from workers.run import open_run

RENDEZVOUS_VARIABLE = "GLAM_RENDEZVOUS"
"""Address at which the processes of a run meet; torchrun's own where it is not set."""


class AloneOrder(BaseModel):
    """What to train, on what, and where to write it."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    store_root: Path
    model: ModelConfig
    train: TrainConfig
    reads: dict[str, str]
    """Fingerprints of the complete `shards`, `heldout` and `tokenizers` folders of the store."""
    run_path: Path
    reference: FolderReference
    options: RunOptions
    kill_at: int | None = None
    """A step after which each process ends itself with SIGKILL, whatever it is writing."""


def run_order(order: AloneOrder, place: Path) -> None:
    """Runs one process a worker, in a new folder `place`, until they end.

    Raises StoreError where one ends otherwise than it was asked to.
    """
    place.mkdir()
    (place / "order.json").write_text(order.model_dump_json())
    size = order.options.num_workers
    base = {**os.environ, **environment.CPU_ALLOCATOR, RENDEZVOUS_VARIABLE: f"file://{place}/rendezvous"}
    with open(place / "errors.txt", "w+b") as errors:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "workers.alone", str(place / "order.json")],
                env={**base, **(ranks(rank, size) if size > 1 else {})},
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            for rank in range(size)
        ]
        expected = 0 if order.kill_at is None else -signal.SIGKILL
        codes = [process.wait() for process in processes]
        if any(code != expected for code in codes):
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise StoreError(f"a process that trained by itself ended with {codes}, not {expected}: {words[-1]}")


def ranks(rank: int, world_size: int) -> dict[str, str]:
    """What torchrun tells each of the processes on one machine."""
    return {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world_size)}


def main(order_path: str) -> None:
    """Trains to the end, from the newest healthy checkpoint."""
    order = AloneOrder.model_validate_json(Path(order_path).read_bytes())
    torch.set_num_threads(order.options.threads_per_worker)
    if "RANK" in os.environ:
        dist.init_process_group(
            backend(order.options),
            init_method=os.environ.get(RENDEZVOUS_VARIABLE, "env://"),
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
        )
    folder = Folder(order.run_path, order.reference)
    run = open_run(Store(order.store_root), order.model, order.train, order.reads, folder, order.options)
    group = ParallelGroup.of_process_group(order.options)
    for metrics in train(run, group, open_meter(gpus=group.node_gpus)):
        if metrics.step == order.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    environment.apply()
    main(sys.argv[1])
