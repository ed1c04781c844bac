"""How many processors this machine has, asked before anything starts that would wait for more."""

import os

RAY_ADDRESS = "RAY_ADDRESS"
"""Set, it names a cluster, which then counts instead of this machine."""


class NotEnoughResources(RuntimeError):
    """More was asked for than there is in all; waiting would never end."""


class RayFailed(RuntimeError):
    """Ray itself broke down under the work: one of its processes, or a whole node, is gone."""


def available_cpus() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def require_cpus(cpus_needed: float) -> None:
    """Raises NotEnoughResources when this machine is to do the work and has fewer cores."""
    if RAY_ADDRESS not in os.environ and cpus_needed > available_cpus():
        raise NotEnoughResources(
            f"{cpus_needed:g} CPUs asked for, this machine has {available_cpus()}: "
            "ask for fewer (--workers, --threads), or set RAY_ADDRESS to a larger cluster"
        )
