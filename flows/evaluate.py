"""Evaluate: every task at every number of shots on every checkpoint, in parallel."""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.context import Context
from flows.train import track
from glam.lineage import ScoreStage
from glam.records import EvalResult
from workers.evaluate import evaluate as evaluate_on_ray


@task(name="evaluate", cache_policy=NO_CACHE)
def evaluate(scores: Sequence[ScoreStage], context: Context) -> None:
    """Makes the missing scores and records them with their runs in MLflow."""
    tracked = {}

    def report(score: ScoreStage, result: EvalResult) -> None:
        shown = "unknown" if result.value is None else f"{result.value:.4f}"
        context.log(
            f"{score.run.arm} seed {score.run.seed}: {score.task} {score.num_shots}-shot {result.metric} {shown}"
        )
        mark = score.run.stage.reference.fingerprint
        tracked[mark] = tracked.get(mark) or track(score.run, context)
        tracked[mark].log_values({f"score/{score.task}/{score.num_shots}shot": result.value})

    evaluate_on_ray(scores, context.store, num_actors=context.options.num_eval_actors, on_result=report)
    for run in tracked.values():
        run.finish()
