"""Train: one run of a study, with live progress in the log and in MLflow."""

import time
from collections.abc import Callable, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.context import Context
from glam.lineage import RunStage
from glam.records import HeldoutPoint, RunSummary, StepMetrics, StepProfile
from glam.store import Folder
from glam.training.loop import HELDOUT, STEPS
from glam.training.profile import PROFILE, TRACE
from workers.tracking import TrackedRun
from workers.train import train as train_on_ray

SECONDS_BETWEEN_LINES = 5.0


@task(name="train", task_run_name="train {run.arm} seed {run.seed}", cache_policy=NO_CACHE)
def train(run: RunStage, context: Context) -> None:
    """Trains one run, unless its folder is complete."""
    tracked = track(run, context)
    progress = Progress(run, context.log)

    def report(steps: Sequence[StepMetrics], points: Sequence[HeldoutPoint]) -> None:
        progress(steps, points)
        tracked.log_steps(steps)
        tracked.log_heldout(points)

    try:
        folder = train_on_ray(run, context.store, context.options, report)
    except BaseException as error:
        tracked.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    tracked.finish()
    if context.options.profile:
        context.log(profile_text(f"{run.arm} seed {run.seed}", folder))


def profile_text(name: str, folder: Folder) -> str:
    """Where a step's time went, a line a part, and where the trace lies."""
    if not (folder.path / PROFILE).exists():
        return f"{name}: not profiled, for it was trained before or had too few steps"
    found = StepProfile.model_validate(folder.read_json(PROFILE))
    lines = [f"{name}: a step took {found.step_seconds:.3f} s while it was profiled ({found.of} time)"]
    for part, seconds in found.part_seconds.items():
        lines.append(f"  {part:<14}{1000 * seconds:>10.1f} ms  {seconds / sum(found.part_seconds.values()):>6.1%}")
    return "\n".join([*lines, f"  trace: {folder.path / TRACE}"])


def track(run: RunStage, context: Context) -> TrackedRun:
    """MLflow's run of this training run, found or made."""
    experiment = run.experiment
    return context.tracker.start_run(
        run.stage.reference.label,
        fingerprint=run.stage.reference.fingerprint,
        num_steps=experiment.train.num_steps,
        parent=context.parent,
        params=experiment.model_dump(mode="json"),
        tags={"arm": run.arm, "seed": str(run.seed), "data": run.prepared.shards.reference.fingerprint},
    )


def track_complete(run: RunStage, folder: Folder, context: Context) -> TrackedRun:
    """The same for a run that was complete before: all its records, once."""
    tracked = track(run, context)
    tracked.log_steps(folder.read(STEPS, StepMetrics))
    tracked.log_heldout(folder.read(HELDOUT, HeldoutPoint))
    tracked.finish()
    return tracked


class Progress:
    """A line every few seconds: step, loss, speed, time left."""

    def __init__(self, run: RunStage, log: Callable[[str], None]):
        self._name = f"{run.arm} seed {run.seed}"
        self._num_steps = run.experiment.train.num_steps
        self._log = log
        self._last = 0.0

    def __call__(self, steps: Sequence[StepMetrics], points: Sequence[HeldoutPoint]) -> None:
        for point in points:
            self._log(f"{self._name}: step {point.step}/{self._num_steps}  held-out loss {point.loss:.4f}")
        if not steps or (time.monotonic() - self._last < SECONDS_BETWEEN_LINES and steps[-1].step < self._num_steps):
            return
        self._last = time.monotonic()
        now = steps[-1]
        left = (self._num_steps - now.step) * now.elapsed_seconds / now.step
        self._log(
            f"{self._name}: step {now.step}/{self._num_steps}  loss {now.loss:.4f}  "
            f"{now.tokens / now.elapsed_seconds:,.0f} tokens/s  {int(left) // 60}:{int(left) % 60:02d} left"
        )


def summary_of(folder: Folder) -> RunSummary:
    """The summary of a complete run."""
    return RunSummary.model_validate(folder.read_json("summary.json"))
