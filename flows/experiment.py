"""The whole road: raw text to a verdict on the arms of a study."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.compare import compare
from flows.context import Context
from flows.evaluate import evaluate
from flows.prepare import prepare
from flows.refusals import shorten
from flows.register import register
from flows.train import train
from glam.config import RunOptions
from glam.lineage import StudyStages, Verb, study_stages
from glam.recipes import RECIPES
from glam.recipes import recipe as find_recipe
from glam.store import Store
from glam.study import Study, override, run_options
from workers.cluster import cluster
from workers.tracking import Tracker

RecipeName = Annotated[str, Field(json_schema_extra={"enum": [*sorted(RECIPES)]})]
"""A drop-down in Prefect's form."""


@flow(name="experiment", flow_run_name="{recipe}", persist_result=False)
def run_experiment(
    recipe: RecipeName = "quickstart",
    settings: list[str] = [],  # noqa: B006 - Prefect's form shows the default; it is never changed
    workers: int = 1,
    threads: int = 2,
    run_settings: list[str] = [],  # noqa: B006
    until: Verb = "compare",
) -> None:
    """Raw text to a verdict. What is complete in the store is not made again.

    Args:
        recipe: Which study to run; `glam recipes` describes them.
        settings: Overrides of recipe fields, one `key.path=value` each, e.g. `train.num_steps=100`.
        workers: Data-parallel training workers.
        threads: Threads of each training worker.
        run_settings: How training runs, one `key=value` each, e.g. `layout=sharded` or `max_minutes=30`.
        until: The last stage to run.
    """
    shorten()
    study = override(find_recipe(recipe), settings)
    stages = study_stages(study)
    options = run_options(workers, threads, run_settings)
    with cluster(cpus_needed=options.cpus_needed), tracked(study, stages, options) as context:
        for data in stages.data:
            prepare(data, context, classifier_only=until == "classify")
        if until in ("classify", "prepare"):
            return
        for run in stages.runs:
            for each in run:
                train(each, context)
        register(f"glam-{study.name}", stages.runs, context)
        if until == "train":
            return
        evaluate(stages.scores, context)
        if until == "evaluate":
            return
        compare(study, stages, context)


@contextmanager
def tracked(study: Study, stages: StudyStages, options: RunOptions) -> Iterator[Context]:
    """The experiment as one MLflow run that ends as the block ends."""
    store = Store.default()
    tracker = Tracker.open(store.root, study.name)
    parent = tracker.start_run(
        study.name,
        fingerprint=stages.verdict.reference.fingerprint,
        params=study.model_dump(mode="json", exclude={"arms"}),
        tags={"store": str(store.root), "pid": str(os.getpid())},
    )
    try:
        yield Context(store=store, options=options, tracker=tracker, parent=parent)
    except BaseException as error:
        parent.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise
    parent.finish()
