"""The training loop: resume, step, measure, save; yields what it logs and knows no driver.

Everything is written into the open folder of the run: `steps.jsonl`, `heldout.jsonl`, checkpoints, and at
the end `model.safetensors`, `model.json` and `totals.json`, whose presence says that training is done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from glam.config import ModelConfig, RunOptions, TrainConfig
from glam.energy.meter import Meter
from glam.model.likelihood import score_rows
from glam.model.saved import save_model
from glam.model.transformer import Transformer
from glam.records import HeldoutPoint, StepMetrics
from glam.store import Folder
from glam.training import checkpoint
from glam.training.checkpoint import Position
from glam.training.clock import Clock
from glam.training.optimizer import optimizer as make_optimizer
from glam.training.optimizer import set_learning_rate
from glam.training.parallel import DataParallel
from glam.training.schedule import learning_rate
from glam.training.step import StepResult, train_step

STEPS = "steps.jsonl"
HELDOUT = "heldout.jsonl"
TOTALS = "totals.json"


class BatchSource(Protocol):
    """What the loop needs of a loader: ids as a pure function of the step."""

    @property
    def sequence_length(self) -> int: ...

    def rows(self, step: int, first: int, last: int) -> np.ndarray: ...


@dataclass(frozen=True)
class Run:
    """One training run: what to train, on what, and where to write it."""

    folder: Folder
    model: ModelConfig
    config: TrainConfig
    batches: BatchSource
    heldout_rows: Sequence[Sequence[int]]
    """Rows whose loss is taken along the way."""
    end_of_text: int
    """The id that starts every document."""
    options: RunOptions


def train(run: Run, group: DataParallel, meter: Meter) -> Iterator[StepMetrics]:
    """Trains from the newest healthy checkpoint to the end; every worker of the group iterates to the end.

    Yields the metrics that were logged. Done already: yields nothing.
    """
    if (run.folder.path / TOTALS).exists():
        return
    config, options = run.config, run.options
    log_every = options.log_every or max(1, config.num_steps // 200)
    save_every = options.save_every or max(1, config.num_steps // 10)
    share = group.share(config.global_batch_size)
    model = Transformer(run.model).to(torch.float64 if config.precision == "float64" else torch.float32)
    model.recompute_activations = options.recompute_activations
    model.initialize(config.seed)
    optimizer = make_optimizer(model, config)
    position = checkpoint.load_newest(run.folder, model, optimizer)
    if group.is_first:
        _forget_after(run.folder, position.step)
    clock = Clock(meter, group, position)
    tokens_per_step = config.global_batch_size * run.batches.sequence_length
    while position.step < config.num_steps:
        rate = learning_rate(position.step, config)
        with clock.running():
            set_learning_rate(optimizer, rate)
            rows = run.batches.rows(position.step, share.start, share.stop)
            result = train_step(
                model,
                optimizer,
                rows,
                config,
                end_of_text=run.end_of_text,
                group=group,
                first_row=position.step * config.global_batch_size + share.start,
                micro_batch_size=options.micro_batch_size,
            )
        position = clock.position(position.step + 1, position.skipped_steps + (not result.applied))
        if position.step % log_every == 0 or position.step == config.num_steps:
            metrics = _metrics(result, position, rate, tokens_per_step, clock)
            if group.is_first:
                run.folder.append(STEPS, [metrics])
                run.folder.heartbeat()
            yield metrics
        if position.step in config.heldout_steps:
            loss = heldout_loss(model, run.heldout_rows, group)
            if group.is_first:
                run.folder.append(HELDOUT, [_heldout_point(loss, position, tokens_per_step)])
        if position.step % save_every == 0 or position.step == config.num_steps:
            checkpoint.save(run.folder, position, model, optimizer, group)
    if group.is_first:
        save_model(run.folder.path, model)
        run.folder.write_text(TOTALS, position.model_dump_json())
    group.wait()


def heldout_loss(model: Transformer, rows: Sequence[Sequence[int]], group: DataParallel) -> float:
    """Cross-entropy in nats per token over all rows, each worker scoring its share of them."""
    scores = score_rows(model, rows[group.rank :: group.world_size])
    sums = torch.tensor(
        [sum(float(each.nll.sum()) for each in scores), sum(len(each.nll) for each in scores)], dtype=torch.float64
    )
    total, count = group.sum(sums).tolist()
    return total / count


def _metrics(result: StepResult, position: Position, rate: float, tokens_per_step: int, clock: Clock) -> StepMetrics:
    return StepMetrics(
        step=position.step,
        tokens=position.step * tokens_per_step,
        loss=result.loss,
        balance_loss=result.balance_loss,
        z_loss=result.z_loss,
        grad_norm=result.grad_norm,
        learning_rate=rate,
        load_imbalance=result.load_imbalance,
        dropped_fraction=result.dropped_fraction,
        router_entropy=result.router_entropy,
        skipped_steps=position.skipped_steps,
        elapsed_seconds=position.elapsed_seconds,
        tokens_per_second=tokens_per_step / clock.last_seconds,
        energy_joules=position.energy_joules,
        energy_method=clock.method,
    )


def _heldout_point(loss: float, position: Position, tokens_per_step: int) -> HeldoutPoint:
    return HeldoutPoint(
        step=position.step,
        tokens=position.step * tokens_per_step,
        loss=loss,
        elapsed_seconds=position.elapsed_seconds,
        energy_joules=position.energy_joules,
    )


def _forget_after(folder: Folder, step: int) -> None:
    """Drops records of steps that will be made again."""
    for name, kind in ((STEPS, StepMetrics), (HELDOUT, HeldoutPoint)):
        records = folder.read(name, kind)
        kept = [record for record in records if record.step <= step]
        if len(kept) < len(records) or records == []:
            folder.write_text(name, "".join(record.model_dump_json() + "\n" for record in kept))
