"""Evaluate: every task at every number of shots on every checkpoint, in parallel."""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.context import Context
from flows.train import track
from glam.lineage import RunStage, ScoreStage
from glam.records import EvalResult
from glam.store import StoreError
from workers.evaluate import evaluate as evaluate_on_ray
from workers.tracking import TrackedRun


@task(name="evaluate", cache_policy=NO_CACHE)
def evaluate(scores: Sequence[ScoreStage], context: Context) -> None:
    """Makes the missing scores and records them with their runs in MLflow."""
    tracked: dict[str, TrackedRun] = {}

    def report(score: ScoreStage, result: EvalResult) -> None:
        run = score.subject
        assert isinstance(run, RunStage), "a study judges its runs"
        shown = "unknown" if result.value is None else f"{result.value:.4f}"
        context.log(f"{run.arm} seed {run.seed}: {score.task} {score.num_shots}-shot {result.metric} {shown}")
        mark = run.stage.reference.fingerprint
        tracked[mark] = tracked.get(mark) or track(run, context)
        tracked[mark].log_values({f"score/{score.task}/{score.num_shots}shot": result.value})

    failures = evaluate_on_ray(scores, context.store, num_actors=context.options.num_eval_actors, on_result=report)
    for run in tracked.values():
        run.finish()
    if failures:
        raise StoreError(
            f"{len(failures)} of {len(scores)} scores could not be made; the others are kept. "
            + "; ".join(f"{failure.score.stage.reference.label}: {failure.reason}" for failure in failures)
        )
