"""Runs a function on several gloo processes of this machine, in seconds."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

Work = Callable[..., Any]


def on_workers(work: Work, num_workers: int, place: Path, *arguments: Any) -> list[Any]:
    """What `work(*arguments)` returned on each worker, as JSON keeps it. `place`: an empty folder for each call.

    Raises what torch's spawn raises: the traceback of the first worker that failed.
    """
    place.mkdir(parents=True)
    mp.spawn(_one, args=(num_workers, str(place), work, arguments), nprocs=num_workers)
    return [json.loads((place / f"{rank}.json").read_text()) for rank in range(num_workers)]


def _one(rank: int, num_workers: int, place: str, work: Work, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if sys.platform == "linux" else "lo0"
    dist.init_process_group("gloo", init_method=f"file://{place}/rendezvous", rank=rank, world_size=num_workers)
    result = work(*arguments)
    (Path(place) / f"{rank}.json").write_text(json.dumps(result))
    dist.barrier()
    dist.destroy_process_group()
