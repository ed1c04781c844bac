"""What every task of a flow run needs besides its own stage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from glam.config import RunOptions
from glam.store import Store

if TYPE_CHECKING:
    from workers.tracking import TrackedRun, Tracker


def log_to_run(message: str) -> None:
    """Into the log of the Prefect run that calls, which shows on the terminal and in the UI; nowhere outside one."""
    try:
        get_run_logger().info(message)
    except MissingContextError:
        return


@dataclass(frozen=True)
class Context:
    """Where results go, how runs are run, and who is told."""

    store: Store
    options: RunOptions
    tracker: "Tracker"
    parent: "TrackedRun"
    """MLflow's run of the whole experiment."""
    log: Callable[[str], None] = log_to_run
