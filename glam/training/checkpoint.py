"""Checkpoints of an open run: sharded safetensors and JSON, the newest healthy one found by ourselves.

`checkpoints/<step>/` holds what torch.distributed.checkpoint writes through its safetensors storage, and
`checkpoint.json`, written last, with the position and the size and SHA-256 of every file.
"""

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from pydantic import ValidationError
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter

from glam.model.transformer import Transformer
from glam.records import FileEntry, Record
from glam.store import Folder
from glam.store.identity import file_sha256
from glam.training.parallel import DataParallel

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
DESCRIPTION = "checkpoint.json"
KEPT = 2


class Position(Record):
    """Where a run stands: all that its future depends on, besides weights and optimizer state."""

    step: int
    """Steps done."""
    elapsed_seconds: float
    energy_joules: float | None = None
    energy_low_joules: float | None = None
    energy_high_joules: float | None = None
    skipped_steps: int = 0


class Checkpoint(Record):
    """Content of `checkpoint.json`."""

    position: Position
    files: tuple[FileEntry, ...]


def save(
    run: Folder, position: Position, model: Transformer, optimizer: torch.optim.Optimizer, group: DataParallel
) -> None:
    """Writes a checkpoint and prunes all but the newest two. Every worker calls it."""
    name = f"{CHECKPOINTS}/{position.step:08d}"
    path = run.path / name
    if group.is_first:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    group.wait()
    with _alone_is_intended():
        dcp.save(_state(model, optimizer), storage_writer=HuggingFaceStorageWriter(str(path), save_distributed=True))
    if group.is_first:
        files = tuple(
            FileEntry(name=file.name, size_bytes=file.stat().st_size, sha256=file_sha256(file))
            for file in sorted(path.iterdir())
        )
        run.write_text(f"{name}/{DESCRIPTION}", Checkpoint(position=position, files=files).model_dump_json())
        for old in _steps(run)[:-KEPT]:
            shutil.rmtree(old)


def load_newest(run: Folder, model: Transformer, optimizer: torch.optim.Optimizer) -> Position:
    """Loads the newest healthy checkpoint into model and optimizer; step 0 where there is none."""
    for path in reversed(_steps(run)):
        checkpoint = _healthy(path)
        if checkpoint is None:
            continue
        state = _state(model, optimizer)
        with _alone_is_intended():
            dcp.load(state, storage_reader=HuggingFaceStorageReader(str(path)))
        _restore(state, model, optimizer)
        return checkpoint.position
    return Position(step=0, elapsed_seconds=0.0)


def discard_all(run: Folder) -> None:
    """Removes every checkpoint of a run that has come to its end."""
    shutil.rmtree(run.path / CHECKPOINTS, ignore_errors=True)


def _steps(run: Folder) -> list[Path]:
    return sorted((run.path / CHECKPOINTS).glob("[0-9]" * 8))


def _healthy(path: Path) -> Checkpoint | None:
    try:
        checkpoint = Checkpoint.model_validate_json((path / DESCRIPTION).read_bytes())
    except (FileNotFoundError, ValidationError):
        log.warning("%s was never finished; looking for an older checkpoint", path)
        return None
    for entry in checkpoint.files:
        file = path / entry.name
        if not file.exists() or file.stat().st_size != entry.size_bytes or file_sha256(file) != entry.sha256:
            log.warning("%s is damaged; looking for an older checkpoint", file)
            return None
    return checkpoint


def _state(model: Transformer, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Flat named tensors of weights and optimizer."""
    state: dict[str, Any] = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment, value in optimizer.state[parameter].items():
            state[f"optimizer.{name}.{moment}"] = value
    return state


def _restore(state: dict[str, Any], model: Transformer, optimizer: torch.optim.Optimizer) -> None:
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(state[f"model.{name}"])
    names = dict(model.named_parameters())
    for key, value in state.items():
        part, _, rest = key.partition(".")
        if part == "optimizer":
            name, _, moment = rest.rpartition(".")
            optimizer.state[names[name]][moment].copy_(value)


@contextmanager
def _alone_is_intended() -> Iterator[None]:
    """torch warns that it saves in a single process where there is no process group."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled", category=UserWarning)
        yield
