"""What every task of a flow run needs besides its own stage."""

from collections.abc import Callable
from dataclasses import dataclass

from prefect.logging import get_run_logger

from flows.progress import Board
from glam.config import RunOptions
from glam.store import Store
from workers.live import Live, LiveRun


@dataclass(frozen=True)
class Context:
    """Where results go, how runs are run, and who is told."""

    store: Store
    options: RunOptions
    live: Live
    """MLflow, as long as it answers."""
    parent: LiveRun
    """MLflow's run of the whole experiment."""
    board: Board

    @property
    def log(self) -> Callable[[str], None]:
        """Into the log of the Prefect task that asks, on the terminal and in the UI; usable from any thread."""
        return get_run_logger().info
