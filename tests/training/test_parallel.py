"""Two workers on gloo are one worker with more hands."""

import os
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from glam.config import ModelConfig
from glam.records import HeldoutPoint, StepMetrics
from glam.store import Folder, Store
from glam.study import dense_twin
from glam.training.parallel import DataParallel
from tests.training.conftest import TOY, make_run, train_through

STEPS = 20


def _worker(rank: int, world_size: int, root: str, rendezvous: str, model: ModelConfig, stop_after: int | None) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if sys.platform == "linux" else "lo0"
    dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=world_size)
    folder = Store(root).find("runs", f"{world_size}" * 16)
    assert folder is not None
    run = make_run(folder, model=model, num_steps=STEPS, precision="float64", save_every=5)
    train_through(run, DataParallel.of_process_group(), stop_after=stop_after)
    dist.destroy_process_group()


def _train(store: Store, tmp_path: Path, world_size: int, model: ModelConfig, stop_after: int | None = None) -> Folder:
    with store.claim("runs", "test", f"{world_size}" * 16) as folder:
        rendezvous = tmp_path / f"rendezvous-{world_size}-{stop_after}"
        arguments = (world_size, str(store.root), str(rendezvous), model, stop_after)
        mp.spawn(_worker, args=arguments, nprocs=world_size)
    return folder


@pytest.mark.parametrize("model", [TOY, dense_twin(TOY)], ids=["sparse", "dense"])
def test_two_workers_agree_with_one_in_float64_also_after_an_interruption(
    store: Store, tmp_path: Path, model: ModelConfig
) -> None:
    alone = _train(store, tmp_path, 1, model)
    _train(store, tmp_path, 2, model, stop_after=7)
    pair = _train(store, tmp_path, 2, model)
    for name, kind in (("steps.jsonl", StepMetrics), ("heldout.jsonl", HeldoutPoint)):
        one, two = alone.read(name, kind), pair.read(name, kind)
        assert [(r.step, r.tokens) for r in one] == [(r.step, r.tokens) for r in two]
        assert [r.loss for r in one] == pytest.approx([r.loss for r in two], rel=1e-9)


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(ValueError, match="global_batch_size=4 cannot be shared evenly by 3 workers"):
        DataParallel(rank=0, world_size=3).share(4)
