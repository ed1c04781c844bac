"""Ray on this machine, or the cluster that RAY_ADDRESS names: resources are checked before work starts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from glam import environment


class NotEnoughResources(RuntimeError):
    """More was asked for than the cluster has in all; waiting would never end."""


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
    address = os.environ.get("RAY_ADDRESS")
    if address is None:
        _check_machine(cpus_needed)
    _start(address, cpus_needed)
    try:
        _check(cpus_needed)
        yield
    finally:
        ray.shutdown()


def available_cpus() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start(address: str | None, cpus_needed: float) -> None:
    if address is not None:
        worker_environment = {**environment.TELEMETRY_OFF, **environment.CPU_ALLOCATOR}
        ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": worker_environment})
        return
    for name, value in environment.CPU_ALLOCATOR.items():
        os.environ.setdefault(name, value)
    ray.init(
        num_cpus=max(available_cpus(), int(cpus_needed)),
        num_gpus=None,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _node_ip_address=environment.LOOPBACK,
    )


def _check_machine(cpus_needed: float) -> None:
    if cpus_needed > available_cpus():
        raise NotEnoughResources(
            f"{cpus_needed:g} CPUs asked for, this machine has {available_cpus()}: "
            "ask for fewer (--workers, --threads), or set RAY_ADDRESS to a larger cluster"
        )


def _check(cpus_needed: float) -> None:
    cpus = ray.cluster_resources().get("CPU", 0.0)
    if cpus_needed > cpus:
        raise NotEnoughResources(
            f"{cpus_needed:g} CPUs asked for, the Ray cluster has {cpus:g} in all: ask for fewer (--workers, --threads)"
        )
