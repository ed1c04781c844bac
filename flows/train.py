"""Train: one run of a study, with live progress in the log, on the page of the flow run and in MLflow."""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, State, raise_state_exception

from flows.context import Context
from flows.progress import Progress
from flows.retries import RETRIES, may_help
from flows.waiting import cpus, wait_for_others
from glam.lineage import RunStage
from glam.records import HeldoutPoint, StepMetrics, StepProfile
from glam.store import Folder
from glam.training.loop import Stopped
from glam.training.profile import PROFILE, TRACE
from workers.cluster import breakdowns_explained
from workers.tracked_stages import run_tags
from workers.train import train as train_on_ray


def train(run: RunStage, context: Context) -> None:
    """Trains one run unless its folder is complete, once it is nobody else's and there are CPUs for it."""
    wait_for_others([run.stage], context)
    needed = 0 if run.stage.find(context.store) is not None else context.options.cpus_needed
    with cpus(needed, context):
        if (stopped := train_now(run, context)) is not None:
            raise_state_exception(stopped)


@task(
    name="train",
    task_run_name="train {run.arm} seed {run.seed}",
    cache_policy=NO_CACHE,
    retries=RETRIES,
    retry_delay_seconds=10,
    retry_condition_fn=may_help,
)
def train_now(run: RunStage, context: Context) -> State | None:
    """Goes on from the newest checkpoint; a state where it stopped as it was told to."""
    if run.stage.find(context.store) is not None:
        context.log(f"{run.stage.reference}: there already")
        return None
    context.board.open()
    progress = Progress(run, context.board, context.log)
    tracked = context.live.start(
        lambda tracker: tracker.start_run(
            run.stage.reference.label,
            fingerprint=run.stage.reference.fingerprint,
            num_steps=run.experiment.train.num_steps,
            parent=context.parent.run,
            params=run.experiment.model_dump(mode="json"),
            tags=run_tags(run),
        )
    )

    def report(steps: Sequence[StepMetrics], points: Sequence[HeldoutPoint]) -> None:
        progress(steps, points)
        tracked.log_steps(steps)
        tracked.log_heldout(points)

    def warn(words: str) -> None:
        context.log(f"{run.arm} seed {run.seed}: {words}")

    try:
        with breakdowns_explained():
            folder = train_on_ray(run, context.store, context.options, report, warn)
    except Stopped as error:
        tracked.finish("KILLED")
        return stopped_state(error)
    except BaseException as error:
        tracked.finish("FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    tracked.finish()
    if context.options.profile:
        context.log(profile_text(f"{run.arm} seed {run.seed}", folder))
    return None


def stopped_state(error: Stopped) -> State:
    """Of what ended where its budget did: no failure, and not done."""
    return Cancelled(name="Stopped", message=str(error), data=error)


def profile_text(name: str, folder: Folder) -> str:
    """Where a step's time went, a line a part, and where the trace lies."""
    if not (folder.path / PROFILE).exists():
        return f"{name}: not profiled, for it was trained before or had too few steps"
    found = StepProfile.model_validate(folder.read_json(PROFILE))
    lines = [f"{name}: a step took {found.step_seconds:.3f} s while it was profiled ({found.of} time)"]
    for part, seconds in found.part_seconds.items():
        lines.append(f"  {part:<14}{1000 * seconds:>10.1f} ms  {seconds / sum(found.part_seconds.values()):>6.1%}")
    return "\n".join([*lines, f"  trace: {folder.path / TRACE}"])
