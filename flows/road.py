"""The road itself: the tasks of an order, one after the other, on one Ray and under one run of MLflow."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import State

from flows.artifacts import show_links
from flows.compare import compare
from flows.context import Context
from flows.evaluate import evaluate
from flows.order import Order
from flows.prepare import prepare
from flows.progress import Board
from flows.record import record
from flows.train import stopped_state, train
from glam.store import StoreError
from glam.training.loop import Stopped
from workers.cluster import cluster
from workers.live import Live, LiveRun
from workers.studies import remember, title
from workers.tracking import Status


def take(order: Order) -> State | None:
    """None when the order is carried out; a state where training stopped as it was told to."""
    try:
        with ExitStack() as exits:
            if not order.complete:
                exits.enter_context(cluster(cpus_needed=order.options.cpus_needed))
            _take(order, exits.enter_context(tracked(order)))
    except Stopped as error:
        return stopped_state(error)
    return None


def _take(order: Order, context: Context) -> None:
    stages = order.stages
    for data in stages.data:
        prepare(data, context, classifier_only=order.until == "classify")
    if order.until in ("classify", "prepare"):
        return
    for run in stages.runs:
        for each in run:
            train(each, context)
    record(order, context)
    if order.until == "train":
        return
    evaluate(stages.scores, context)
    if order.until == "evaluate":
        return
    compare(order.study, stages, context)


@contextmanager
def tracked(order: Order) -> Iterator[Context]:
    """The experiment as one MLflow run that ends as the block ends, with all that is complete by then."""
    remember(order.study, order.stages, order.store)
    live = Live(order.store, order.study.name, get_run_logger().warning)
    parent = live.start(
        lambda tracker: tracker.start_run(
            title(order.study, order.stages),
            fingerprint=order.fingerprint,
            params=order.study.model_dump(mode="json", exclude={"arms"}),
        )
    )
    turn = _Turn(order, parent)
    context = Context(
        store=order.store, options=order.options, live=live, parent=parent, board=Board(order.stages.runs, order.store)
    )
    try:
        turn.take()
        show_links(order, live, parent)
        yield context
    except BaseException as error:
        failed = isinstance(error, Exception) and not isinstance(error, Stopped)
        turn.finish("FAILED" if failed else "KILLED")
        if not isinstance(error, Exception):
            raise  # whoever ends this process does not wait for long
        record(order, context)
        raise
    turn.finish("FINISHED")
    record(order, context)


class _Turn:
    """Whose word counts of an experiment that several flow runs are at: they share one run of MLflow.

    That of the first; of another, which waits for it, when the first is gone.
    """

    def __init__(self, order: Order, parent: LiveRun):
        self._order, self._parent = order, parent
        self._held = ExitStack()
        self._ours = False

    def take(self) -> None:
        """Makes it ours, where nobody else has it, from now on until `finish`; whose it is stands in its tags."""
        if self._ours:
            return
        with suppress(StoreError):
            lock = self._order.store.lock(f"experiment-{self._order.fingerprint}", patience_seconds=0)
            self._held.enter_context(lock)
            self._ours = True
        if self._ours:
            owner = {"prefect.flow_run": str(flow_run.id), "pid": str(os.getpid())}
            self._parent.set_tags({**owner, "store": str(self._order.store.root)})

    def finish(self, status: Status) -> None:
        """Says how it ended, if that is ours to say."""
        with self._held:
            self.take()
            if self._ours:
                self._parent.finish(status)
