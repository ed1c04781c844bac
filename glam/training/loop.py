"""The training loop: resume, step, measure, save; yields what it logs and knows no driver.

Everything is written into the open folder of the run: `steps.jsonl`, `energy.jsonl`, `experts.jsonl`, `heldout.jsonl`,
`heldout_rows.jsonl`, `detours.jsonl`, checkpoints, a profile where one is asked for, and at the end
`model.safetensors`, `optimizer.safetensors`, `model.json`, of a mixture `specialization.json`, and `totals.json`, whose
presence says that training is done.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from glam.config import ModelConfig, RunOptions, TrainConfig
from glam.counting import count
from glam.energy.meter import Meter
from glam.model.saved import save_model
from glam.model.transformer import Transformer
from glam.records import Detour, ExpertLoad, HeldoutPoint, HeldoutRows, StepMetrics
from glam.store import Folder, StoreError
from glam.training import stability
from glam.training.checkpoint import DETOURS, CheckpointWriter, load_newest, save_optimizer, weight_dtype
from glam.training.clock import Clock
from glam.training.heldout import HeldoutScore, count_choices, score_heldout
from glam.training.optimizer import optimizer as make_optimizer
from glam.training.optimizer import set_learning_rate
from glam.training.parallel import ParallelGroup, ignore_known_warnings
from glam.training.position import TOTALS, Position, StreamHash, end_of
from glam.training.profile import profiler
from glam.training.schedule import learning_rate
from glam.training.step import StepResult, train_step
from glam.training.throughput import peak_flops

STEPS = "steps.jsonl"
EXPERTS = "experts.jsonl"
ENERGY = "energy.jsonl"
HELDOUT = "heldout.jsonl"
HELDOUT_ROWS = "heldout_rows.jsonl"
SPECIALIZATION = "specialization.json"
MAX_RECORDS = 2_000
"""Of a run's steps, unless it is told how many: what a curve is drawn from, and what MLflow is told."""


class BatchSource(Protocol):
    """What the loop needs of a loader: ids as a pure function of the step and the detours before it."""

    @property
    def sequence_length(self) -> int: ...

    def rows(self, step: int, first: int, last: int, detours: Sequence[int] = ()) -> np.ndarray: ...


@dataclass(frozen=True)
class Run:
    """One training run: what to train, on what, and where to write it."""

    folder: Folder
    model: ModelConfig
    config: TrainConfig
    batches: BatchSource
    heldout_rows: Sequence[Sequence[int]]
    """Rows whose loss is taken along the way."""
    heldout_units: Sequence[str]
    """Of each of them, the held-out unit that it is a piece of."""
    heldout_sources: Sequence[str]
    """Of each of them, the kind of text that it is from."""
    token_kind: Callable[[int], str]
    """Which of `TOKEN_KINDS` an id is."""
    end_of_text: int
    """The id that starts every document."""
    options: RunOptions
    asked_to_stop: Callable[[], bool] = field(default=lambda: False)
    """Asked after every step, of the first worker alone."""
    origin: Folder | None = None
    """The complete run whose end this one goes on from, where its configuration says so."""


class Stopped(StoreError):
    """Training was asked to stop; a checkpoint of its last step is there to go on from."""


class _WentBack(Exception):
    """The run goes on from an earlier checkpoint."""


def train(run: Run, group: ParallelGroup, meter: Meter) -> Iterator[StepMetrics]:
    """Trains from the newest healthy checkpoint to the end; every worker of the group iterates to the end.

    Yields the metrics that were logged. Done already: yields nothing. Raises Stopped where a budget of the options is
    used up or `asked_to_stop` says so, and TrainingDiverged when going back to earlier checkpoints did not help.
    """
    ignore_known_warnings()
    while not (run.folder.path / TOTALS).exists():
        try:
            yield from _from_newest_checkpoint(run, group, meter)
        except _WentBack:
            group.wait()


def _from_newest_checkpoint(run: Run, group: ParallelGroup, meter: Meter) -> Iterator[StepMetrics]:
    config, options = run.config, run.options
    share = group.share(config.global_batch_size)
    model, optimizer, position = _open(run, group)
    writer = CheckpointWriter(run.folder, config, options, group)
    clock = Clock(meter, group, position)
    before = None if run.origin is None else end_of(run.origin)
    clock.measure_idle()
    stream = StreamHash(group, position.stream_hash)
    log = _Log(run, group, clock, model.embedding.device)
    with ExitStack() as stack:
        stack.callback(writer.wait)
        profile = stack.enter_context(profiler(options.profile and group.is_first, run.folder.path, model, optimizer))
        while position.step < config.num_steps:
            rate = learning_rate(position.step, config)
            first_row = position.step * config.global_batch_size + share.start
            with clock.running():
                set_learning_rate(optimizer, rate)
                detours = [detour.step for detour in position.detours]
                with profile.part("data"):
                    rows = run.batches.rows(position.step, share.start, share.stop, detours)
                result = train_step(
                    model,
                    optimizer,
                    rows,
                    config,
                    end_of_text=run.end_of_text,
                    group=group,
                    first_row=first_row,
                    micro_batch_size=options.micro_batch_size,
                )
            if reason := _what_went_wrong(result, position, model, config, group):
                _go_back(run, position, reason, clock, group)
            stream.add(rows, first_row)
            position = _next(position, result, clock, group)
            if position.step % log.every == 0 or position.step == config.num_steps:
                yield log.step(result, position, rate)
            if position.step in config.heldout_steps:
                log.heldout(score_heldout(model, run.heldout_rows, group), position)
            stopping = bool(group.of_first(run.asked_to_stop() or _used_up(position, before, options)))
            if stopping or _is_save_step(position.step, config, options):
                position = position.model_copy(update={"stream_hash": stream.hexdigest()})
                with profile.part("checkpoint"):
                    writer.save(position, model, optimizer)
            if stopping and position.step < config.num_steps:
                raise Stopped(
                    f"stopped after step {position.step} of {config.num_steps}, with a checkpoint to go on from"
                )
            profile.step_done()
    _finish(run, model, optimizer, position, group)


def _open(run: Run, group: ParallelGroup) -> tuple[Transformer, torch.optim.Optimizer, Position]:
    """Model and optimizer as they are at the position from which training goes on, and the records up to there."""
    model = Transformer(run.model).to(weight_dtype(run.config))
    model.recompute_activations = run.options.recompute_activations
    model.initialize(run.config.seed)
    model.to(group.device)
    group.distribute(model)
    optimizer = make_optimizer(model, run.config)
    position = load_newest(run.folder, model, optimizer, group, run.origin)
    if group.is_first:
        if run.origin is not None and not (run.folder.path / STEPS).exists():
            _copy_records(run.origin, run.folder)
        forget_after(run.folder, position.step)
    return model, optimizer, position


def _finish(
    run: Run, model: Transformer, optimizer: torch.optim.Optimizer, position: Position, group: ParallelGroup
) -> None:
    """Writes what a finished run leaves. On the first worker there is room for the whole model, and not at once for the
    optimizer's state.
    """
    save_optimizer(run.folder, model, optimizer, group)
    weights = group.on_first(model.state_dict())
    chosen = count_choices(model, run.heldout_rows, run.heldout_sources, run.token_kind, group)
    if group.is_first:
        save_model(run.folder.path, model.config, weights)
        if chosen is not None:
            run.folder.write_text(SPECIALIZATION, chosen.model_dump_json() + "\n")
        run.folder.write_text(TOTALS, position.model_dump_json())
    group.wait()


class _Log:
    """Writes records of a run and makes those of a step."""

    def __init__(self, run: Run, group: ParallelGroup, clock: Clock, device: torch.device):
        self.every = run.options.log_every or -(-run.config.num_steps // MAX_RECORDS)
        self._run = run
        self._is_first = group.is_first
        self._clock = clock
        self._tokens_per_step = run.config.global_batch_size * run.batches.sequence_length
        peak = peak_flops(device, run.config.precision)
        self._peak_flops = None if peak is None else float(group.sum(torch.tensor([peak], dtype=torch.float64)))
        self._flops_per_token = count(run.model).training_flops_per_token

    def step(self, result: StepResult, position: Position, rate: float) -> StepMetrics:
        tokens_per_second = self._tokens_per_step / self._clock.last_seconds
        metrics = StepMetrics(
            step=position.step,
            tokens=position.step * self._tokens_per_step,
            loss=result.loss,
            balance_loss=result.balance_loss,
            z_loss=result.z_loss,
            output_z_loss=result.output_z_loss,
            grad_norm=result.grad_norm,
            learning_rate=rate,
            load_imbalance=result.load_imbalance,
            dropped_fraction=result.dropped_fraction,
            router_entropy=result.router_entropy,
            skipped_steps=position.skipped_steps,
            rollbacks=len(position.detours),
            elapsed_seconds=position.elapsed_seconds,
            tokens_per_second=tokens_per_second,
            energy_joules=position.energy_joules,
            energy_method=self._clock.method,
            mfu=tokens_per_second * self._flops_per_token / self._peak_flops if self._peak_flops else None,
        )
        if self._is_first:
            self._run.folder.append(STEPS, [metrics])
            if (reading := self._clock.reading) is not None:
                self._run.folder.append(ENERGY, [reading.model_copy(update={"step": position.step})])
            if result.load_LE is not None:
                load_LE = tuple(tuple(int(load) for load in row) for row in result.load_LE.tolist())
                self._run.folder.append(EXPERTS, [ExpertLoad(step=position.step, load_LE=load_LE)])
            self._run.folder.heartbeat()
        return metrics

    def heldout(self, score: HeldoutScore, position: Position) -> None:
        point = HeldoutPoint(
            step=position.step,
            tokens=position.step * self._tokens_per_step,
            loss=score.loss,
            elapsed_seconds=position.elapsed_seconds,
            energy_joules=position.energy_joules,
        )
        rows = HeldoutRows(
            step=position.step,
            nats=score.nats,
            tokens=tuple(len(row) - 1 for row in self._run.heldout_rows),
            units=tuple(self._run.heldout_units),
        )
        if self._is_first:
            self._run.folder.append(HELDOUT_ROWS, [rows])
            self._run.folder.append(HELDOUT, [point])


def _what_went_wrong(
    result: StepResult, position: Position, model: Transformer, config: TrainConfig, group: ParallelGroup
) -> str | None:
    """Why the run cannot go on from here; None: it can."""
    if result.applied:
        if stability.is_spike(result.loss, position.recent_losses, config):
            return f"the loss jumped to {result.loss:.3f}"
        step = position.step + 1
        looked_at = step == config.num_steps or _is_rollback_step(step, config)
        if looked_at and not group.all_finite(model.parameters()):
            return "weights are not finite"
        return None
    if not group.all_finite(model.parameters()):
        return "weights are not finite"
    if position.skipped_in_a_row >= stability.MOST_SKIPPED_IN_A_ROW:
        return f"{position.skipped_in_a_row + 1} steps in a row had a loss or gradients that are not finite"
    return None


def _go_back(run: Run, position: Position, reason: str, clock: Clock, group: ParallelGroup) -> None:
    """Writes down that the run goes on from an earlier checkpoint, and raises _WentBack, or TrainingDiverged."""
    step = stability.step_to_go_back_to(position, reason, run.config)
    group.wait()
    if group.is_first:
        run.folder.append(DETOURS, [Detour(step=step, left_at=position.step, reason=reason, **clock.spent)])
    raise _WentBack


def _next(position: Position, result: StepResult, clock: Clock, group: ParallelGroup) -> Position:
    skipped = not result.applied
    counts = position.worker_counts
    losses = position.recent_losses if skipped else (*position.recent_losses, result.loss)
    return position.model_copy(
        update={
            **clock.spent,
            "idle_watts": clock.idle_watts,
            "step": position.step + 1,
            "skipped_steps": position.skipped_steps + skipped,
            "skipped_in_a_row": position.skipped_in_a_row + 1 if skipped else 0,
            "recent_losses": losses[-stability.WINDOW :],
            "worker_counts": counts if counts[-1:] == (group.world_size,) else (*counts, group.world_size),
        }
    )


def _is_save_step(step: int, config: TrainConfig, options: RunOptions) -> bool:
    save_every = options.save_every or max(1, config.num_steps // 10)
    kept = options.keep_every is not None and step % options.keep_every == 0
    return kept or step % save_every == 0 or _is_rollback_step(step, config) or step == config.num_steps


def _is_rollback_step(step: int, config: TrainConfig) -> bool:
    return step % config.rollback_steps == 0


def _used_up(position: Position, before: Position | None, options: RunOptions) -> bool:
    """Whether the run itself has used up a budget; what the run that it goes on from took is not its own."""
    seconds, joules = position.elapsed_seconds, position.energy_joules
    if before is not None:
        seconds -= before.elapsed_seconds
        joules = None if joules is None else joules - (before.energy_joules or 0.0)
    return (options.max_minutes is not None and seconds >= 60 * options.max_minutes) or (
        options.max_joules is not None and joules is not None and joules >= options.max_joules
    )


def _copy_records(origin: Folder, folder: Folder) -> None:
    """The curve of a continued run begins where the first one began; the steps come last, and say that all is there."""
    for name in (EXPERTS, HELDOUT, HELDOUT_ROWS, STEPS):
        if (origin.path / name).exists():
            folder.write_text(name, (origin.path / name).read_text("utf-8"))


def forget_after(folder: Folder, step: int) -> None:
    """Drops records of steps that will be made again. Every file is a new one afterwards, by which followers know."""
    records_of_steps = (
        (STEPS, StepMetrics),
        (EXPERTS, ExpertLoad),
        (HELDOUT, HeldoutPoint),
        (HELDOUT_ROWS, HeldoutRows),
    )
    for name, kind in records_of_steps:
        kept = [record for record in folder.read(name, kind) if record.step <= step]
        folder.write_text(name, "".join(record.model_dump_json() + "\n" for record in kept))
