"""Ray on this machine, or the cluster that RAY_ADDRESS names: resources are checked before work starts."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import ray
from ray._private import services

from glam import environment
from infra.processors import RAY_ADDRESS, NotEnoughResources, available_cpus, require_cpus


@contextmanager
def cluster(*, cpus_needed: float) -> Iterator[None]:
    """Connects to Ray, or starts it for the time of the block; within another such block, joins it.

    A local Ray listens on loopback only and ends with this process, however that ends. Raises
    NotEnoughResources at once when the machine or cluster has fewer CPUs than needed.
    """
    if ray.is_initialized():
        _check(cpus_needed)
        yield
        return
    require_cpus(cpus_needed)
    _start(os.environ.get(RAY_ADDRESS), cpus_needed)
    try:
        _check(cpus_needed)
        yield
    finally:
        ray.shutdown()


def _start(address: str | None, cpus_needed: float) -> None:
    if address is not None:
        worker_environment = {**environment.TELEMETRY_OFF, **environment.CPU_ALLOCATOR}
        ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": worker_environment})
        return
    for name, value in environment.CPU_ALLOCATOR.items():
        os.environ.setdefault(name, value)
    with _without_usage_reports():
        ray.init(
            num_cpus=max(available_cpus(), int(cpus_needed)),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address=environment.LOOPBACK,
        )


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
