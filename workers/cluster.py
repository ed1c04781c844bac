"""Ray on this machine, or the cluster that RAY_ADDRESS names: resources are checked before work starts."""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import psutil
import ray
from ray._private import services
from ray.exceptions import LocalRayletDiedError, NodeDiedError, RayActorError, RaySystemError, WorkerCrashedError

from glam import environment
from infra.lifeline import ProcessRecord, guarded
from infra.processors import RAY_ADDRESS, NotEnoughResources, RayFailed, available_cpus, require_cpus

MARK_VARIABLE = "GLAM_RAY"
BREAKDOWNS = (LocalRayletDiedError, NodeDiedError, RayActorError, RaySystemError, WorkerCrashedError)
"""What Ray raises when something of its own is gone, not when work has failed."""
SERVERS = ("raylet", "gcs_server")
SECONDS_BETWEEN_LOOKS = 0.5
TO_DO = "What is finished is kept: run the same command again"


@contextmanager
def cluster(*, cpus_needed: float) -> Iterator[None]:
    """Connects to Ray, or starts it for the time of the block; within another such block, joins it.

    A local Ray listens on loopback only and ends with this process, however that ends. Raises
    NotEnoughResources at once when the machine or cluster has fewer CPUs than needed, and RayFailed when
    Ray breaks down during the block.
    """
    if ray.is_initialized():
        _check(cpus_needed)
        yield
        return
    address = os.environ.get(RAY_ADDRESS)
    require_cpus(cpus_needed)
    with _local_ray(cpus_needed) if address is None else _connected(address):
        _check(cpus_needed)
        try:
            yield
        except BREAKDOWNS as error:
            what = str(error).strip().splitlines()[0]
            raise RayFailed(f"Ray broke down: {what} {TO_DO}") from error


@contextmanager
def _connected(address: str) -> Iterator[None]:
    worker_environment = {**environment.TELEMETRY_OFF, **environment.CPU_ALLOCATOR}
    ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": worker_environment})
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _local_ray(cpus_needed: float) -> Iterator[None]:
    for name, value in environment.CPU_ALLOCATOR.items():
        os.environ.setdefault(name, value)
    # Ray's agents look for their dead parent in their own time, up to a minute; the guardian does not wait.
    with guarded(MARK_VARIABLE):
        with _without_usage_reports():
            ray.init(
                address="local",  # of its own, whatever else runs on this machine
                num_cpus=max(available_cpus(), int(cpus_needed)),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address=environment.LOOPBACK,
            )
        try:
            with _ended_with(*SERVERS):
                yield
        finally:
            ray.shutdown()


@contextmanager
def _ended_with(*names: str) -> Iterator[None]:
    """Ends this process, with the reason, when a child of one of these names is gone before the block is.

    Without its raylet Ray ends the driver too, after some 15 s and without a word, from a thread in C++:
    no exception of Python's tells of it in time.
    """
    children = {each.name(): ProcessRecord.of(each.pid) for each in psutil.Process().children() if each.name() in names}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            for name, record in children.items():
                if record.find() is None and not over.is_set():
                    sys.stderr.write(f"glam: Ray broke down: its {name} (pid {record.pid}) is gone. {TO_DO}\n")
                    sys.stderr.flush()
                    os._exit(1)

    thread = threading.Thread(target=watch, name="Ray's processes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _without_usage_reports() -> Iterator[None]:
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
