"""Tiny runs without Ray: a pure stream of ids, a toy model, a folder in a temporary store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from glam.config import ModelConfig, RunOptions, TrainConfig
from glam.data.token_kinds import TOKEN_KINDS
from glam.energy.meter import NoMeter
from glam.records import StepMetrics
from glam.store import Folder, Store
from glam.training.loop import Run, train
from glam.training.parallel import ParallelGroup
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]
MakeRun = Callable[..., Run]


@dataclass(frozen=True)
class Stream:
    """A learnable language: each id follows from the one before, now and then a new document."""

    sequence_length: int = 16
    global_batch_size: int = 4
    vocab_size: int = TOY.vocab_size

    def rows(self, step: int, first: int, last: int, detours: Sequence[int] = ()) -> np.ndarray:
        generator = np.random.default_rng([step, sum(detour <= step for detour in detours)])
        start = generator.integers(1, self.vocab_size, (self.global_batch_size, 1))
        rows = (start + 7 * np.arange(self.sequence_length + 1)) % self.vocab_size
        return rows[first:last]


def token_kind(token_id: int) -> str:
    """Made up: kinds without a text."""
    return TOKEN_KINDS[token_id % 3]


def make_run(folder: Folder, *, model: ModelConfig = TOY, save_every: int = 100, **changes: Any) -> Run:
    config: dict[str, Any] = {
        "num_steps": 6,
        "optimizer": "adamw",
        "global_batch_size": 4,
        "learning_rate": 3e-3,
        "heldout_every": 2,
        "rollback_every": 100,
    } | changes
    return Run(
        folder=folder,
        model=model,
        config=TrainConfig(**config),
        batches=Stream(global_batch_size=config["global_batch_size"]),
        heldout_rows=Stream().rows(10_000, 0, 3).tolist(),
        heldout_units=("one", "two", "one"),
        heldout_sources=("docs", "code", "docs"),
        token_kind=token_kind,
        end_of_text=0,
        options=RunOptions(log_every=1, save_every=save_every),
    )


def train_through(run: Run, group: ParallelGroup | None = None, *, stop_after: int | None = None) -> list[StepMetrics]:
    """Trains to the end, or drops everything right after a step, as kill -9 does."""
    logged = []
    for metrics in train(run, group or ParallelGroup(), NoMeter()):
        logged.append(metrics)
        if metrics.step == stop_after:
            break
    return logged


def final_weights(folder: Folder) -> bytes:
    return (folder.path / "model.safetensors").read_bytes()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def folder(store: Store) -> Folder:
    with store.claim("runs", "test", "0" * 16) as made:
        return made


@pytest.fixture
def other_folder(store: Store) -> Folder:
    with store.claim("runs", "test", "1" * 16) as made:
        return made
