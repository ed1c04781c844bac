"""Evaluate: every task at every number of shots on every checkpoint, in parallel."""

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.context import Context
from flows.refusals import NotAllScored
from flows.retries import RETRIES, may_help
from flows.waiting import cpus, wait_for_others
from glam.lineage import RunStage, ScoreStage
from glam.records import EvalResult
from workers.cluster import breakdowns_explained
from workers.evaluate import evaluate as evaluate_on_ray
from workers.reservation import total_cpus


def evaluate(scores: Sequence[ScoreStage], context: Context) -> None:
    """Makes the missing scores, once there are CPUs for it."""
    wait_for_others([score.stage for score in scores], context)
    missing = [score for score in scores if score.stage.find(context.store) is None]
    num_actors = min(context.options.num_eval_actors, total_cpus()) if missing else 0
    with cpus(num_actors, context):
        evaluate_now(missing, num_actors, context)


@task(name="evaluate", cache_policy=NO_CACHE, retries=RETRIES, retry_delay_seconds=10, retry_condition_fn=may_help)
def evaluate_now(scores: Sequence[ScoreStage], num_actors: int, context: Context) -> None:
    """Goes on after the last piece that was scored."""

    def report(score: ScoreStage, result: EvalResult) -> None:
        run = score.subject
        assert isinstance(run, RunStage), "a study judges its runs"
        shown = "unknown" if result.value is None else f"{result.value:.4f}"
        context.log(f"{run.arm} seed {run.seed}: {score.task} {score.num_shots}-shot {result.metric} {shown}")

    with breakdowns_explained():
        failures = evaluate_on_ray(scores, context.store, num_actors=num_actors, on_result=report)
    if failures:
        raise NotAllScored(len(scores), {failure.score.stage.reference: failure.reason for failure in failures})
