"""MLflow: the runs and metrics of one study, written by one process.

Idempotent: a run is found by its tag `glam.fingerprint`, and what was logged is not logged again.
Importing this module imports MLflow (3 s): import it late.
"""

import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from glam.records import HeldoutPoint, StepMetrics
from glam.store.errors import writing
from infra.places import mlflow_artifacts, mlflow_database
from infra.settings import MLFLOW_ARTIFACTS
from infra.stack_file import read_stack
from workers.metrics import Thinning, flatten, heldout_values, step_values

Status = Literal["FINISHED", "FAILED", "KILLED"]

FINGERPRINT_TAG = "glam.fingerprint"
MANIFEST_TAG = "glam.manifest_hash"
COMPLETE_TAG = "glam.complete"
"""On a run that MLflow has fully: the mark of what it was made from."""
MAX_METRICS_PER_REQUEST = 1_000
MAX_PARAMS_PER_REQUEST = 100
MAX_RUNS_PER_PAGE = 1_000
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "AWS_MAX_ATTEMPTS": "2",
}
"""By default MLflow asks a server that is gone for minutes, at every request; training does not wait for it."""


class ArtifactError(RuntimeError):
    """Where MLflow's artifacts go cannot be written to."""


@contextmanager
def writing_artifacts(place: str | None) -> Iterator[None]:
    """Raises ArtifactError for what a bucket's library raises about this address, e.g. `s3://bucket/experiment-1`."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError):
        raise
    except Exception as error:  # each library has its own, and MLflow passes them on
        raise ArtifactError(
            f"artifacts cannot be written to {place} ({error}); a bucket wants its library and credentials here too"
        ) from error


def tracking_address(store_root: Path) -> str:
    """MLFLOW_TRACKING_URI, else the server of this store's stack, else a SQLite file under the store."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    stack = read_stack(store_root)
    return stack.mlflow if stack is not None else mlflow_database(store_root.absolute())


def without_passwords(text: str) -> str:
    """The text, with *** for the user and password of every address in it."""
    return re.sub(r"://[^\s/]*@", "://***@", text)


def registered_run(store_root: Path, name: str) -> tuple[str, str]:
    """(fingerprint of the run, hash of its manifest) of `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises ValueError for a name that the registry does not have, and for a version that is none of ours.
    """
    address = tracking_address(store_root)
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    model, at, alias = name.removeprefix("models:/").partition("@")
    model, _, number = (model, "", "") if at else model.partition("/")
    try:
        version = client.get_model_version_by_alias(model, alias) if at else client.get_model_version(model, number)
    except MlflowException as error:
        reason = without_passwords(f"{str(error).splitlines()[0]} ({address})")
        raise ValueError(f"{name}: {reason}; `glam run` registers models") from None  # its traceback names the address
    if FINGERPRINT_TAG not in version.tags:
        raise ValueError(f"{name} was not registered by glam: version {version.version} has no {FINGERPRINT_TAG}")
    return version.tags[FINGERPRINT_TAG], version.tags[MANIFEST_TAG]


class Tracker:
    """MLflow's view of one study. Make it with `Tracker.open`; one process writes."""

    def __init__(self, client: MlflowClient, address: str, experiment_id: str):
        self.client = client
        self.address = address
        self.experiment_id = experiment_id

    @classmethod
    def open(cls, store_root: Path, study: str) -> "Tracker":
        """The tracker of a study, whose MLflow experiment is made if it is not there."""
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports each table it creates
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # stdout is for our own answers
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        store_root = store_root.absolute()
        artifacts = mlflow_artifacts(store_root)
        with writing(artifacts):
            artifacts.mkdir(parents=True, exist_ok=True)
        address = tracking_address(store_root)
        client = MlflowClient(tracking_uri=address, registry_uri=address)
        if (experiment := client.get_experiment_by_name(study)) is not None:
            return cls(client, address, experiment.experiment_id)
        place = None  # a server has a place of its own
        if not address.startswith(("http://", "https://")):
            # A URI of our own making: names of studies do not become paths.
            root = os.environ.get(MLFLOW_ARTIFACTS) or artifacts.as_uri()
            place = f"{root.rstrip('/')}/experiment-{time.time_ns()}"
        return cls(client, address, client.create_experiment(study, artifact_location=place))

    def start_run(
        self,
        name: str,
        *,
        fingerprint: str,
        num_steps: int = 1,
        parent: "TrackedRun | None" = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        started: datetime | None = None,
    ) -> "TrackedRun":
        """The run of this fingerprint, found or made, and running again from here.

        `params` is a nested configuration, logged flat by dotted path. `num_steps` decides the thinning. One that is
        made has `started` then; None: now.
        """
        found = self.client.search_runs(
            [self.experiment_id], f"tags.`{FINGERPRINT_TAG}` = '{fingerprint}'", max_results=1
        )
        if found:
            run_id = found[0].info.run_id
            self.client.update_run(run_id, RunStatus.to_string(RunStatus.RUNNING))
        else:
            all_tags = {**(tags or {}), FINGERPRINT_TAG: fingerprint}
            if parent is not None:
                all_tags["mlflow.parentRunId"] = parent.run_id
            run_id = self.client.create_run(
                self.experiment_id, run_name=name, tags=all_tags, start_time=_milliseconds(started)
            ).info.run_id
            pairs = [Param(key, value) for key, value in flatten(params or {}).items()]
            for start in range(0, len(pairs), MAX_PARAMS_PER_REQUEST):
                self.client.log_batch(run_id, params=pairs[start : start + MAX_PARAMS_PER_REQUEST])
        status_before: str | None = found[0].info.status if found else None
        return TrackedRun(self.client, run_id, num_steps=num_steps, status_before=status_before)

    def complete(self) -> dict[str, str]:
        """By fingerprint, the mark of every run that MLflow has fully."""
        marks: dict[str, str] = {}
        page_token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                f"tags.`{COMPLETE_TAG}` != ''",
                max_results=MAX_RUNS_PER_PAGE,
                page_token=page_token,
            )
            marks |= {run.data.tags[FINGERPRINT_TAG]: run.data.tags[COMPLETE_TAG] for run in page}
            if not (page_token := page.token):
                return marks


class TrackedRun:
    """One MLflow run. Steps may come in any portions and more than once."""

    def __init__(self, client: MlflowClient, run_id: str, *, num_steps: int, status_before: str | None):
        self.run_id = run_id
        self.status_before = status_before
        """Of MLflow's run when it was found; None: it was made."""
        self._client = client
        resumed = status_before is not None
        self._thinning = Thinning(num_steps, after_step=self._last_step("train/loss") if resumed else 0)
        self._heldout_step = self._last_step("heldout/loss") if resumed else 0

    def log_steps(self, steps: Sequence[StepMetrics]) -> None:
        """Training metrics, thinned to at most 2,000 points each over the run."""
        self._log((record.step, step_values(record)) for record in self._thinning(steps))

    def log_heldout(self, points: Sequence[HeldoutPoint]) -> None:
        """Held-out losses of the training curve."""
        new = [point for point in points if point.step > self._heldout_step]
        self._log((point.step, heldout_values(point)) for point in new)
        self._heldout_step = max([self._heldout_step, *(point.step for point in new)])

    def log_values(self, values: Mapping[str, float | None]) -> None:
        """Results that belong to no step, e.g. `score/last_word/0shot`; None is unknown and left out."""
        there = self._client.get_run(self.run_id).data.metrics
        known = {name: value for name, value in values.items() if value is not None}
        self._log([(0, {name: value for name, value in known.items() if there.get(name) != value})])

    def log_files(self, texts: Mapping[str, str]) -> None:
        """Artifacts by name, each in the place of an earlier one. The client writes them: no server need serve any.

        Raises ArtifactError where they cannot be written.
        """
        with writing_artifacts(self._client.get_run(self.run_id).info.artifact_uri):
            for name, text in texts.items():
                self._client.log_text(self.run_id, text, name)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """What may change from attempt to attempt, e.g. layout and machine."""
        self._client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def finish(self, status: Status = "FINISHED", *, ended: datetime | None = None) -> None:
        """Ends the run; `start_run` with its fingerprint takes it up again. Ended then; None: now."""
        self._client.set_terminated(self.run_id, status, end_time=_milliseconds(ended))

    def leave(self) -> None:
        """Makes it as it was found; one that was running goes on, for somebody is at it."""
        if self.status_before is not None and self.status_before != "RUNNING":
            self._client.set_terminated(self.run_id, self.status_before)

    def _log(self, points: Iterable[tuple[int, dict[str, float]]]) -> None:
        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, value, now, step) for step, values in points for name, value in values.items()]
        for start in range(0, len(metrics), MAX_METRICS_PER_REQUEST):
            self._client.log_batch(self.run_id, metrics=metrics[start : start + MAX_METRICS_PER_REQUEST])

    def _last_step(self, metric: str) -> int:
        return max((point.step for point in self._client.get_metric_history(self.run_id, metric)), default=0)


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
