"""Prepare: from documents to packed shards, a Prefect task around the Ray work."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.context import Context
from glam.lineage import DataStages
from workers.prepare import prepare as prepare_on_ray


@task(name="prepare", cache_policy=NO_CACHE)
def prepare(stages: DataStages, context: Context, *, classifier_only: bool = False) -> None:
    """Makes what is missing of the data's folders, or of those up to and with the classifier's."""
    only = stages.until_classifier if classifier_only else None
    prepare_on_ray(stages.config, str(context.store.root), only=only, log=context.log)
