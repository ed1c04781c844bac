"""Prepare: from documents to packed shards, a Prefect task around the Ray work."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.context import Context
from flows.retries import RETRIES, may_help
from flows.waiting import cpus, wait_for_others
from glam.lineage import DataStages, Stage
from workers.cluster import breakdowns_explained
from workers.prepare import prepare as prepare_on_ray


def prepare(stages: DataStages, context: Context, *, classifier_only: bool = False) -> None:
    """Makes what is missing of the data's folders, or of those up to and with the classifier's."""
    wanted = [*(stages.until_classifier if classifier_only else stages)]
    wait_for_others(wanted, context)
    missing = any(stage.find(context.store) is None for stage in wanted)
    with cpus(1 if missing else 0, context):  # it takes more where there are more, call by call
        prepare_now(stages, wanted if classifier_only else None, context)


@task(name="prepare", cache_policy=NO_CACHE, retries=RETRIES, retry_delay_seconds=10, retry_condition_fn=may_help)
def prepare_now(stages: DataStages, only: list[Stage] | None, context: Context) -> None:
    """Goes on after the last finished shard."""
    with breakdowns_explained():
        prepare_on_ray(stages.config, str(context.store.root), only=only, log=context.log)
