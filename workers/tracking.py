"""MLflow: runs, metrics and the registry of one study, written by one process.

Idempotent: a run is found by its tag `glam.fingerprint`, a version by its manifest hash, and a step that
was logged is not logged again. Importing this module imports MLflow (3 s): import it late.
"""

import logging
import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import mlflow
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from glam.records import HeldoutPoint, StepMetrics
from glam.store import FolderReference, library_versions
from glam.store.errors import writing
from infra.places import mlflow_artifacts, mlflow_database
from infra.stack_file import read_stack
from workers.metrics import Thinning, flatten, heldout_values, step_values

Status = Literal["FINISHED", "FAILED", "KILLED"]

FINGERPRINT_TAG = "glam.fingerprint"
MANIFEST_TAG = "glam.manifest_hash"
MAX_METRICS_PER_REQUEST = 1_000
MAX_PARAMS_PER_REQUEST = 100
MODEL_CODE = Path(__file__).with_name("registered_model.py")
MODEL_LIBRARIES = ("mlflow", "numpy", "pandas", "pydantic", "safetensors", "tokenizers", "torch")
MODEL_SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.string)]),
    params=ParamSchema(
        [ParamSpec("mode", DataType.string, "complete"), ParamSpec("max_new_tokens", DataType.integer, 32)]
    ),
)


def tracking_address(store_root: Path) -> str:
    """MLFLOW_TRACKING_URI, else the server of this store's stack, else a SQLite file under the store."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    stack = read_stack(store_root)
    return stack.mlflow if stack is not None else mlflow_database(store_root.absolute())


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
        raise ValueError(f"{name}: {str(error).splitlines()[0]} ({address}); `glam run` registers models") from error
    if FINGERPRINT_TAG not in version.tags:
        raise ValueError(f"{name} was not registered by glam: version {version.version} has no {FINGERPRINT_TAG}")
    return version.tags[FINGERPRINT_TAG], version.tags[MANIFEST_TAG]


class Tracker:
    """MLflow's view of one study. Make it with `Tracker.open`; one process writes."""

    def __init__(self, client: MlflowClient, address: str, experiment_id: str, store_root: Path):
        self.address = address
        self.experiment_id = experiment_id
        self._client = client
        self._store_root = store_root

    @classmethod
    def open(cls, store_root: Path, study: str) -> "Tracker":
        """The tracker of a study, whose MLflow experiment is made if it is not there."""
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it reports each table it creates
        os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # stdout is for our own answers
        store_root = store_root.absolute()
        artifacts = mlflow_artifacts(store_root)
        with writing(artifacts):
            artifacts.mkdir(parents=True, exist_ok=True)
        address = tracking_address(store_root)
        client = MlflowClient(tracking_uri=address, registry_uri=address)
        experiment = client.get_experiment_by_name(study)
        if experiment is None:
            # A URI of our own making: names of studies do not become paths.
            place = artifacts / f"experiment-{time.time_ns()}"
            return cls(client, address, client.create_experiment(study, artifact_location=place.as_uri()), store_root)
        return cls(client, address, experiment.experiment_id, store_root)

    def start_run(
        self,
        name: str,
        *,
        fingerprint: str,
        num_steps: int = 1,
        parent: "TrackedRun | None" = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> "TrackedRun":
        """The run of this fingerprint, found or made, and running again from here.

        `params` is a nested configuration, logged flat by dotted path. `num_steps` decides the thinning.
        """
        found = self._client.search_runs(
            [self.experiment_id], f"tags.`{FINGERPRINT_TAG}` = '{fingerprint}'", max_results=1
        )
        if found:
            run_id = found[0].info.run_id
            self._client.update_run(run_id, RunStatus.to_string(RunStatus.RUNNING))
        else:
            all_tags = {**(tags or {}), FINGERPRINT_TAG: fingerprint}
            if parent is not None:
                all_tags["mlflow.parentRunId"] = parent.run_id
            run_id = self._client.create_run(self.experiment_id, run_name=name, tags=all_tags).info.run_id
            pairs = [Param(key, value) for key, value in flatten(params or {}).items()]
            for start in range(0, len(pairs), MAX_PARAMS_PER_REQUEST):
                self._client.log_batch(run_id, params=pairs[start : start + MAX_PARAMS_PER_REQUEST])
        return TrackedRun(self._client, run_id, num_steps=num_steps, resumed=bool(found))

    def register(
        self,
        run: "TrackedRun",
        *,
        model_name: str,
        reference: FolderReference,
        manifest_hash: str,
        tags: Mapping[str, str] | None = None,
        alias: str | None = None,
    ) -> str:
        """Version of the registered model that stands for a complete run folder, made if it is not there.

        `alias` (`dense`, `sparse`) is moved to it: give it for the arm's first seed of lowest held-out loss.
        """
        version = self._find_version(model_name, manifest_hash) or self._make_version(
            run, model_name, reference, manifest_hash
        )
        for key, value in {**(tags or {}), FINGERPRINT_TAG: reference.fingerprint, MANIFEST_TAG: manifest_hash}.items():
            self._client.set_model_version_tag(model_name, version, key, value)
        if alias is not None:
            self._client.set_registered_model_alias(model_name, alias, version)
        return version

    def _find_version(self, model_name: str, manifest_hash: str) -> str | None:
        for version in self._client.search_model_versions(f"name = '{model_name}'"):
            if version.tags.get(MANIFEST_TAG) == manifest_hash:
                return str(version.version)
        return None

    def _make_version(self, run: "TrackedRun", model_name: str, reference: FolderReference, manifest_hash: str) -> str:
        status = self._client.get_run(run.run_id).info.status
        mlflow.set_tracking_uri(self.address)  # log_model knows no other way; the registry follows it
        with mlflow.start_run(run_id=run.run_id), warnings.catch_warnings():
            # An example would make MLflow load the weights at once.
            warnings.filterwarnings("ignore", message=".*input example was not provided.*")
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(MODEL_CODE),
                model_config={
                    "store_root": str(self._store_root),
                    "fingerprint": reference.fingerprint,
                    "manifest_hash": manifest_hash,
                },
                signature=MODEL_SIGNATURE,
                pip_requirements=[f"{name}=={version}" for name, version in library_versions(MODEL_LIBRARIES).items()],
            )
        self._client.update_run(run.run_id, status)  # leaving the block above has called it finished
        if not self._client.search_registered_models(f"name = '{model_name}'"):
            self._client.create_registered_model(model_name)
        made = self._client.create_model_version(
            model_name, source=info.model_uri, run_id=run.run_id, model_id=info.model_id
        )
        return str(made.version)


class TrackedRun:
    """One MLflow run. Steps may come in any portions and more than once."""

    def __init__(self, client: MlflowClient, run_id: str, *, num_steps: int, resumed: bool):
        self.run_id = run_id
        self._client = client
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
        self._log([(0, {name: value for name, value in values.items() if value is not None})])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """What may change from attempt to attempt, e.g. layout and machine."""
        self._client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def finish(self, status: Status = "FINISHED") -> None:
        """Ends the run; `start_run` with its fingerprint takes it up again."""
        self._client.set_terminated(self.run_id, status)

    def _log(self, points: Iterable[tuple[int, dict[str, float]]]) -> None:
        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, value, now, step) for step, values in points for name, value in values.items()]
        for start in range(0, len(metrics), MAX_METRICS_PER_REQUEST):
            self._client.log_batch(self.run_id, metrics=metrics[start : start + MAX_METRICS_PER_REQUEST])

    def _last_step(self, metric: str) -> int:
        return max((point.step for point in self._client.get_metric_history(self.run_id, metric)), default=0)
