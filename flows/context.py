"""What every task of a flow run needs besides its own stage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect.logging import get_run_logger

from glam.config import RunOptions
from glam.store import Store

if TYPE_CHECKING:
    from workers.tracking import TrackedRun, Tracker


@dataclass(frozen=True)
class Context:
    """Where results go, how runs are run, and who is told."""

    store: Store
    options: RunOptions
    tracker: "Tracker"
    parent: "TrackedRun"
    """MLflow's run of the whole experiment."""

    @property
    def log(self) -> Callable[[str], None]:
        """Into the log of the Prefect task that asks, on the terminal and in the UI; usable from any thread."""
        return get_run_logger().info
