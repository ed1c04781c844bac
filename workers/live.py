"""MLflow while a study runs, as long as it answers: the store has everything, so nothing waits for MLflow."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from glam.records import HeldoutPoint, StepMetrics
from glam.store import Store
from workers.tracking import ArtifactError, Status, TrackedRun, Tracker, tracking_address, without_passwords

FAILURES = (MlflowException, SQLAlchemyError, ArtifactError, OSError)
"""What comes of a server or a bucket that is gone, and of a database that is locked, read-only or damaged."""
MAX_CHARACTERS = 300

Answer = TypeVar("Answer")


class Live:
    """MLflow's view of a study. After the first failure nothing is tried again; `warn` is told, once."""

    def __init__(self, store: Store, study: str, warn: Callable[[str], None]):
        self.lost = False
        """Whether MLflow has failed."""
        self._store, self._study, self._warn = store, study, warn
        self._tracker = self.attempt(lambda: Tracker.open(store.root, study))

    def attempt(self, work: Callable[[], Answer]) -> Answer | None:
        """What `work` gives back; None where MLflow fails now or has failed before."""
        if self.lost:
            return None
        try:
            return work()
        except FAILURES as error:
            self.lost = True
            words = without_passwords(" ".join(str(error).split()))[:MAX_CHARACTERS]
            place = without_passwords(tracking_address(self._store.root))
            self._warn(
                f"MLflow at {place} fails ({words}). The run goes on and the store keeps everything: "
                f"`glam sync {self._study} --store {self._store.root}` brings it into MLflow later"
            )
            return None

    def ask(self, question: Callable[[Tracker], Answer]) -> Answer | None:
        """What the tracker answers; None where MLflow fails now or has failed before."""
        tracker = self._tracker
        return None if tracker is None else self.attempt(lambda: question(tracker))

    def start(self, make: Callable[[Tracker], TrackedRun]) -> "LiveRun":
        """A run that may be told things whether MLflow has it or not."""
        return LiveRun(self, self.ask(make))


class LiveRun:
    """A run of MLflow's, or of nobody's where it fails."""

    def __init__(self, live: Live, run: TrackedRun | None):
        self.run = run
        self._live = live

    def log_steps(self, steps: Sequence[StepMetrics]) -> None:
        self._tell(lambda run: run.log_steps(steps))

    def log_heldout(self, points: Sequence[HeldoutPoint]) -> None:
        self._tell(lambda run: run.log_heldout(points))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._tell(lambda run: run.set_tags(tags))

    def finish(self, status: Status = "FINISHED") -> None:
        self._tell(lambda run: run.finish(status))

    def _tell(self, what: Callable[[TrackedRun], None]) -> None:
        run = self.run
        if run is not None:
            self._live.attempt(lambda: what(run))
