"""Runs side by side: one that finds a folder or the CPUs taken waits for its turn, and says so."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from flows.context import Context
from glam.lineage import Stage
from glam.store import StoreError
from workers.reservation import Reservation

SECONDS_BEFORE_SAYING = 3.0


def wait_for_others(stages: Sequence[Stage], context: Context) -> None:
    """Returns when nobody else makes any of these folders, so that no CPUs are held meanwhile."""
    for stage in stages:
        if stage.find(context.store) is not None:
            continue
        lock = f"{stage.reference.kind}-{stage.reference.fingerprint}"
        try:
            with context.store.lock(lock, patience_seconds=0):
                continue
        except StoreError:
            get_run_logger().info(f"waits for {stage.reference}: another process is making it")
        with context.store.lock(lock):
            pass


@contextmanager
def cpus(number: int, context: Context) -> Iterator[None]:
    """Holds this many CPUs of a Ray that others use too; of a Ray of our own there is nothing to hold."""
    with Reservation(number, context.store) as reservation:
        if not reservation.take(patience_seconds=SECONDS_BEFORE_SAYING):
            wait_for_cpus(reservation)
        yield


@task(name="wait for CPUs", cache_policy=NO_CACHE)
def wait_for_cpus(reservation: Reservation) -> None:
    """On the page of the flow run for as long as it waits, with a line every half a minute."""
    log = get_run_logger()
    log.info(reservation.words())
    while not reservation.take(patience_seconds=30.0):
        log.info(reservation.words())
