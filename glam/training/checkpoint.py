"""Checkpoints of an open run: sharded safetensors and JSON, the newest healthy one found by ourselves.

`checkpoints/<step>/` holds what torch.distributed.checkpoint writes through its safetensors storage, and
`checkpoint.json`, written last, with the position and the size and SHA-256 of every file. Any number of workers in any
layout loads what any other wrote. Writing happens beside training: a copy of the state is all that training waits for.
"""

import contextlib
import hashlib
import logging
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from pydantic import ValidationError
from torch import Tensor
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.tensor import DTensor

from glam.config import ModelConfig, RunOptions, TrainConfig
from glam.model.saved import save_model, save_tensors
from glam.model.transformer import Transformer
from glam.records import Detour, FileEntry, Record
from glam.store import Folder
from glam.store.identity import file_sha256
from glam.training.parallel import ParallelGroup
from glam.training.position import Position, end_of
from glam.training.stability import after_detours, on_the_way

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
DESCRIPTION = "checkpoint.json"
DETOURS = "detours.jsonl"
OPTIMIZER = "optimizer.safetensors"
MODEL = "model."
"""Before the names of weights."""
KEPT = 2
"""Newest checkpoints that stay, whatever they are for."""


class Checkpoint(Record):
    """Content of `checkpoint.json`."""

    position: Position
    files: tuple[FileEntry, ...]


class CheckpointWriter:
    """Writes checkpoints of one run in a thread; every worker makes one and calls it at the same steps."""

    def __init__(self, run: Folder, config: TrainConfig, options: RunOptions, group: ParallelGroup):
        self._run = run
        self._config = config
        self._options = options
        self._group = group
        self._background = group.in_background()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def save(self, position: Position, model: Transformer, optimizer: torch.optim.Optimizer) -> None:
        """Copies the state and begins to write it; waits for the one before. Raises what stopped that one."""
        self.wait()
        path = self._run.path / CHECKPOINTS / f"{position.step:08d}"
        if self._group.is_first:
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        self._group.wait()
        state = {name: _copy(tensor) for name, tensor in _state(model, optimizer).items()}
        self._thread = threading.Thread(target=self._write, args=(path, position, state), name=f"checkpoint {path}")
        self._thread.start()

    def wait(self) -> None:
        """Until nothing is being written. Raises what stopped it."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write(self, path: Path, position: Position, state: dict[str, Tensor]) -> None:
        try:
            dcp.save(
                state,
                storage_writer=HuggingFaceStorageWriter(str(path), save_distributed=True),
                process_group=self._background.process_group,
                no_dist=self._background.world_size == 1,
            )
            files = self._hashed(sorted(path.iterdir()))
            if self._group.is_first:
                description = Checkpoint(position=position, files=files).model_dump_json()
                self._run.write_text(f"{CHECKPOINTS}/{path.name}/{DESCRIPTION}", description)
                self._prune()
        except BaseException as error:  # raised again where training waits for this thread
            self._error = error

    def _hashed(self, paths: Sequence[Path]) -> tuple[FileEntry, ...]:
        """Size and SHA-256 of each file; workers share the work."""
        digests = torch.zeros(len(paths), hashlib.sha256().digest_size, dtype=torch.uint8)
        for number in range(self._group.rank, len(paths), self._group.world_size):
            digests[number] = torch.frombuffer(bytearray.fromhex(file_sha256(paths[number])), dtype=torch.uint8)
        digests = self._background.sum(digests)
        return tuple(
            FileEntry(name=path.name, size_bytes=path.stat().st_size, sha256=bytes(digest.tolist()).hex())
            for path, digest in zip(paths, digests, strict=True)
        )

    def _prune(self) -> None:
        steps = [int(path.name) for path in _paths(self._run)]
        to_go_back_to = [step for step in steps if step % self._config.rollback_steps == 0]
        kept = {*steps[-KEPT:], *to_go_back_to[-self._config.max_rollbacks - 1 :], *filter(self._for_good, steps)}
        for step in set(steps) - kept:
            shutil.rmtree(self._run.path / CHECKPOINTS / f"{step:08d}")

    def _for_good(self, step: int) -> bool:
        return self._options.keep_every is not None and step % self._options.keep_every == 0


def load_newest(
    run: Folder,
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    group: ParallelGroup,
    origin: Folder | None = None,
) -> Position:
    """Loads the newest healthy checkpoint into model and optimizer; where there is none, the end of the complete run
    `origin`, or step 0. Every worker asks.
    """
    start = Position(step=0, elapsed_seconds=0.0)
    if origin is not None:
        start = end_of(origin)
        start = start.model_copy(update={"worker_counts": ()})  # they say who made the steps of this run
    detours = (*start.detours, *run.read(DETOURS, Detour))
    if group.is_first:
        _remove_left_behind(run, detours)
    newest = group.of_first(_newest(run) if group.is_first else 0)
    state = _state(model, optimizer)
    if newest:
        path = run.path / CHECKPOINTS / f"{newest:08d}"
        start = Checkpoint.model_validate_json((path / DESCRIPTION).read_bytes()).position
        _load(path, state, group)
    elif origin is not None:
        if group.is_first:
            origin.verify()
        group.wait()
        _load(origin.path, {name.removeprefix(MODEL): tensor for name, tensor in state.items()}, group)
    if newest or origin is not None:
        _restore(state, model, optimizer)
    return after_detours(start, detours)


def save_optimizer(run: Folder, model: Transformer, optimizer: torch.optim.Optimizer, group: ParallelGroup) -> None:
    """Writes the optimizer's state of a run that is done, for another to go on from; every worker calls it."""
    state = {name: tensor for name, tensor in _state(model, optimizer).items() if not name.startswith(MODEL)}
    gathered = group.on_first(state)
    if group.is_first:
        save_tensors(run.path / OPTIMIZER, gathered)


def _load(path: Path, state: dict[str, Any], group: ParallelGroup) -> None:
    dcp.load(state, storage_reader=HuggingFaceStorageReader(str(path)), no_dist=group.world_size == 1)


def discard(run: Folder, options: RunOptions, model: ModelConfig, config: TrainConfig) -> None:
    """Removes the checkpoints of a run that has come to its end; those that are kept for good get their weights as a
    saved model besides, in `model/`.
    """
    for path in _paths(run):
        if options.keep_every is None or int(path.name) % options.keep_every:
            shutil.rmtree(path)
        else:
            _join_weights(path, model, weight_dtype(config))
    if not _paths(run):
        shutil.rmtree(run.path / CHECKPOINTS, ignore_errors=True)


def weight_dtype(config: TrainConfig) -> torch.dtype:
    """Of weights, whatever products are computed in."""
    return torch.float64 if config.precision == "float64" else torch.float32


def _join_weights(path: Path, config: ModelConfig, dtype: torch.dtype) -> None:
    with torch.device("meta"):
        names = Transformer(config).to(dtype).state_dict()
    weights = {name: torch.empty_like(tensor, device="cpu") for name, tensor in names.items()}
    _load(path, {MODEL + name: tensor for name, tensor in weights.items()}, ParallelGroup())
    (path / "model").mkdir(exist_ok=True)
    save_model(path / "model", config, weights)


def _remove_left_behind(run: Folder, detours: Sequence[Detour]) -> None:
    """Checkpoints of steps that will be made otherwise: they would count as the newest when others are pruned."""
    for path in _paths(run):
        with contextlib.suppress(FileNotFoundError, ValidationError):  # never finished: the next to be written takes it
            if not on_the_way(Checkpoint.model_validate_json((path / DESCRIPTION).read_bytes()).position, detours):
                shutil.rmtree(path)


def _newest(run: Folder) -> int:
    """Step of the newest healthy checkpoint; 0 where there is none."""
    for path in reversed(_paths(run)):
        checkpoint = _healthy(path)
        if checkpoint is not None:
            return checkpoint.position.step
    return 0


def _paths(run: Folder) -> list[Path]:
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
    state: dict[str, Any] = {MODEL + name: tensor for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for moment, value in optimizer.state[parameter].items():
            state[f"optimizer.{name}.{moment}"] = value
    return state


def _restore(state: dict[str, Any], model: Transformer, optimizer: torch.optim.Optimizer) -> None:
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(state[MODEL + name])
    names = dict(model.named_parameters())
    for key, value in state.items():
        part, _, rest = key.partition(".")
        if part == "optimizer":
            name, _, moment = rest.rpartition(".")
            optimizer.state[names[name]][moment].copy_(value)


def _copy(tensor: Tensor) -> Tensor:
    """A copy, laid out among workers as the tensor is; in the processor's memory, but for what is cut among GPUs.

    A DTensor lies on its mesh's kind of device, so that copy takes GPU memory while it is written. Untested on GPUs.
    """
    if not isinstance(tensor, DTensor):
        return tensor.detach().to("cpu", copy=True)
    local = tensor.to_local().detach().to("cpu", copy=True)
    return DTensor.from_local(
        local, tensor.device_mesh, tensor.placements, shape=tensor.shape, stride=tensor.stride(), run_check=False
    )
