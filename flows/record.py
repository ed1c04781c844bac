"""Record: what is complete of a study goes into MLflow as far as it is not there, models and all."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from flows.context import Context
from flows.order import Order
from workers.live import Live
from workers.sync import sync


@task(name="record in MLflow", cache_policy=NO_CACHE)
def record(order: Order, context: Context) -> None:
    """Tries even where MLflow has failed before, for it may be back; of that no second failure is told."""
    live = Live(order.store, order.study.name, lambda _: None) if context.live.lost else context.live
    for name in live.ask(lambda tracker: sync(order.study, order.stages, order.store, tracker)) or ():
        context.log(f"MLflow has {name}")
