"""The road itself: the tasks of a plan, one after the other, on one Ray and under one run of MLflow."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import State

from flows.artifacts import show_links
from flows.compare import compare
from flows.context import Context
from flows.evaluate import evaluate
from flows.plan import Plan
from flows.prepare import prepare
from flows.progress import Board
from flows.record import record
from flows.train import stopped_state, train
from glam.training.loop import Stopped
from workers.cluster import cluster
from workers.live import Live
from workers.studies import remember, title


def take(plan: Plan) -> State | None:
    """None when the plan is carried out; a state where training stopped as it was told to."""
    try:
        with ExitStack() as exits:
            if not plan.complete:
                exits.enter_context(cluster(cpus_needed=plan.options.cpus_needed))
            _take(plan, exits.enter_context(tracked(plan)))
    except Stopped as error:
        return stopped_state(error)
    return None


def _take(plan: Plan, context: Context) -> None:
    stages = plan.stages
    for data in stages.data:
        prepare(data, context, classifier_only=plan.until == "classify")
    if plan.until in ("classify", "prepare"):
        return
    for run in stages.runs:
        for each in run:
            train(each, context)
    record(plan, context)
    if plan.until == "train":
        return
    evaluate(stages.scores, context)
    if plan.until == "evaluate":
        return
    compare(plan.study, stages, context)


@contextmanager
def tracked(plan: Plan) -> Iterator[Context]:
    """The experiment as one MLflow run that ends as the block ends, with all that is complete by then."""
    remember(plan.study, plan.stages, plan.store)
    live = Live(plan.store, plan.study.name, get_run_logger().warning)
    parent = live.start(
        lambda tracker: tracker.start_run(
            title(plan.study, plan.stages),
            fingerprint=plan.fingerprint,
            params=plan.study.model_dump(mode="json", exclude={"arms"}),
        )
    )
    parent.set_tags({"prefect.flow_run": str(flow_run.id), "store": str(plan.store.root), "pid": str(os.getpid())})
    show_links(plan, live, parent)
    context = Context(
        store=plan.store, options=plan.options, live=live, parent=parent, board=Board(plan.stages.runs, plan.store)
    )
    try:
        yield context
    except BaseException as error:
        failed = isinstance(error, Exception) and not isinstance(error, Stopped)
        parent.finish("FAILED" if failed else "KILLED")
        if not isinstance(error, Exception):
            raise  # whoever ends this process does not wait for long
        record(plan, context)
        raise
    parent.finish()
    record(plan, context)
