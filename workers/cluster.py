"""The Ray that work runs on: the one that RAY_ADDRESS names, else that of the store's stack, else one of our own.

Resources are checked before work starts.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import psutil
import ray
from ray._private import services
from ray.exceptions import LocalRayletDiedError, NodeDiedError, RayActorError, RaySystemError, WorkerCrashedError

from glam import environment
from glam.store import Store
from infra.health import accepts
from infra.lifeline import guarded, marked
from infra.processors import RAY_ADDRESS, NotEnoughResources, RayFailed, available_cpus, require_cpus
from infra.stack_file import STACK_MARK, Stack, read_stack
from workers.ray_watch import TO_DO, watched

MARK_VARIABLE = "GLAM_RAY"
BREAKDOWNS = (LocalRayletDiedError, NodeDiedError, RayActorError, RaySystemError, WorkerCrashedError)
"""What Ray raises when something of its own is gone, not when work has failed."""
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_FOR_RESTART = 30.0


@contextmanager
def cluster(*, cpus_needed: float) -> Iterator[None]:
    """Connects to Ray, or starts it for the time of the block; within another such block, joins it.

    The stack is the one of `Store.default()`. A Ray of our own listens on loopback only and ends with this process,
    however that ends. Raises NotEnoughResources at once when the machine or cluster has fewer CPUs than needed, and
    RayFailed when Ray does not answer or breaks down during the block.
    """
    if ray.is_initialized():
        _check(cpus_needed)
        yield
        return
    require_cpus(cpus_needed)
    stack = read_stack(Store.default().root)
    address = os.environ.get(RAY_ADDRESS) or (stack.ray if stack is not None else None)
    with _local_ray(cpus_needed) if address is None else _connected(address, stack):
        _check(cpus_needed)
        with breakdowns_explained():
            yield


@contextmanager
def breakdowns_explained() -> Iterator[None]:
    """Raises RayFailed where Ray breaks down in the block."""
    try:
        yield
    except BREAKDOWNS as error:
        what = str(error).strip().splitlines()[0]
        raise RayFailed(f"Ray broke down: {what} {TO_DO}") from error


def is_shared() -> bool:
    """Whether the Ray that we are connected to has other users too: it was there before us."""
    return ray.is_initialized() and MARK_VARIABLE not in os.environ


@contextmanager
def _connected(address: str, stack: Stack | None) -> Iterator[None]:
    ours = stack if stack is not None and address == stack.ray else None
    if ours is not None:
        _wait_for(ours)
    worker_environment = {**environment.TELEMETRY_OFF, **environment.CPU_ALLOCATOR}
    with _termination_as_before():
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": worker_environment},
        )
    with ExitStack() as exits:
        exits.callback(ray.shutdown)
        if ours is not None:
            exits.enter_context(watched(marked(STACK_MARK, ours.mark), mark=MARK_VARIABLE))
        yield


def _wait_for(stack: Stack) -> None:
    """Until the stack's Ray takes connections: it may be about to be started again. Ray would try for minutes."""
    deadline = time.monotonic() + SECONDS_FOR_RESTART
    while not accepts(environment.LOOPBACK, stack.ports.ray):
        if time.monotonic() > deadline:
            raise RayFailed(
                f"the stack's Ray at {stack.ray} gives no answer within {SECONDS_FOR_RESTART:g} s: `glam status` says "
                "how it is, and RAY_ADDRESS names another Ray"
            )
        time.sleep(SECONDS_BETWEEN_LOOKS)


@contextmanager
def _local_ray(cpus_needed: float) -> Iterator[None]:
    for name, value in environment.CPU_ALLOCATOR.items():
        os.environ.setdefault(name, value)
    # Ray's agents look for their dead parent in their own time, up to a minute; the guardian does not wait.
    with guarded(MARK_VARIABLE):
        with without_usage_reports(), _termination_as_before():
            ray.init(
                address="local",  # of its own, whatever else runs on this machine
                num_cpus=max(available_cpus(), int(cpus_needed)),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address=environment.LOOPBACK,
            )
        try:
            with watched(psutil.Process().children(), mark=MARK_VARIABLE):
                yield
        finally:
            ray.shutdown()


@contextmanager
def _termination_as_before() -> Iterator[None]:
    """Leaves SIGTERM to who handled it before the block; Ray would take it, and with it Prefect's Cancel."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if callable(before) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


@contextmanager
def without_usage_reports() -> Iterator[None]:
    """Leaves out the process that Ray starts for usage statistics where there is no dashboard.

    With the statistics switched off it still asks the metadata servers of three clouds where it runs,
    before it looks at the switch (Ray 2.60, `usage_stats_head.py`).
    """
    with mock.patch.object(services, "start_api_server", return_value=(None, None)):
        yield


def _check(cpus_needed: float) -> None:
    cpus = ray.cluster_resources().get("CPU", 0.0)
    if cpus_needed > cpus:
        raise NotEnoughResources(
            f"{cpus_needed:g} CPUs asked for, the Ray cluster has {cpus:g} in all: ask for fewer (--workers, --threads)"
        )
