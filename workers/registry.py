"""MLflow's registry: a version for each run of the store, kilobytes of code that name a folder and its manifest."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from glam.records import RunSummary
from glam.store import Folder, library_versions
from workers.tracking import FINGERPRINT_TAG, MANIFEST_TAG, TrackedRun, Tracker, writing_artifacts

LOSS_TAG, DATA_TAG = "heldout_loss", "data"
MODEL_CODE = Path(__file__).with_name("registered_model.py")
MODEL_LIBRARIES = ("mlflow", "numpy", "pandas", "pydantic", "safetensors", "tokenizers", "torch")
MODEL_SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.string)]),
    params=ParamSchema(
        [ParamSpec("mode", DataType.string, "complete"), ParamSpec("max_new_tokens", DataType.integer, 32)]
    ),
)
BEST = "best"
"""Alias beside those of the arms."""
MAX_CHARACTERS = 5_000
"""Of a tag and of a description, in the databases that keep to what MLflow declares."""
MAX_VERSIONS = 10_000


def register(
    tracker: Tracker,
    run: TrackedRun,
    folder: Folder,
    *,
    model_name: str,
    store_root: Path,
    tags: Mapping[str, str],
    card: str,
    aliases: Sequence[str],
    loss: float | None,
) -> tuple[str, bool]:
    """The version that stands for a complete run folder, found by its manifest or made, and whether it was made.

    Tags and card become these. The aliases (`dense`, `sparse`, `best`) are moved to it, but not from a version with a
    lower held-out loss on the same data, such as one of more steps. Raises ArtifactError where files cannot be written.
    """
    client, manifest_hash = tracker.client, folder.manifest_hash()
    found = _find(tracker, model_name, manifest_hash)
    version = found or _make(tracker, run, folder, model_name, store_root)
    wanted = {**tags, FINGERPRINT_TAG: folder.reference.fingerprint, MANIFEST_TAG: manifest_hash}
    if loss is not None:
        wanted[LOSS_TAG] = repr(loss)
    for key, value in wanted.items():
        if version.tags.get(key) != (short := value[:MAX_CHARACTERS]):
            client.set_model_version_tag(model_name, version.version, key, short)
    if version.description != card:
        client.update_model_version(model_name, version.version, description=card)
    for alias in aliases:
        if not _is_better(_holder(tracker, model_name, alias), wanted):
            client.set_registered_model_alias(model_name, alias, version.version)
    return str(version.version), found is None


def aliases(summaries: Sequence[RunSummary]) -> list[list[str]]:
    """Of each run: its arm's name where it is the arm's best, and `best` where it is the best of all.

    The best has the lowest held-out loss; the first of equals. Unknown losses come last.
    """
    arms = dict.fromkeys(summary.arm for summary in summaries)
    best = {_lowest(each for each in enumerate(summaries) if each[1].arm == arm): [arm] for arm in arms}
    if summaries:
        best[_lowest(enumerate(summaries))].append(BEST)
    return [best.get(number, []) for number in range(len(summaries))]


def _lowest(runs: Iterable[tuple[int, RunSummary]]) -> int:
    return min(runs, key=lambda run: float("inf") if run[1].heldout_loss is None else run[1].heldout_loss)[0]


def _holder(tracker: Tracker, model_name: str, alias: str) -> ModelVersion | None:
    if alias not in tracker.client.get_registered_model(model_name).aliases:
        return None
    return tracker.client.get_model_version_by_alias(model_name, alias)


def _is_better(holder: ModelVersion | None, wanted: Mapping[str, str]) -> bool:
    """Whether a version has a lower loss on the same data than one with these tags."""
    if holder is None or holder.tags.get(DATA_TAG) != wanted.get(DATA_TAG) or LOSS_TAG not in holder.tags:
        return False
    return LOSS_TAG not in wanted or float(holder.tags[LOSS_TAG]) < float(wanted[LOSS_TAG])


def _find(tracker: Tracker, model_name: str, manifest_hash: str) -> ModelVersion | None:
    # The registry cannot be searched by a tag's value.
    versions = tracker.client.search_model_versions(f"name = '{model_name}'", max_results=MAX_VERSIONS)
    return next((each for each in versions if each.tags.get(MANIFEST_TAG) == manifest_hash), None)


def _make(tracker: Tracker, run: TrackedRun, folder: Folder, model_name: str, store_root: Path) -> ModelVersion:
    client = tracker.client
    before = client.get_run(run.run_id).info
    mlflow.set_tracking_uri(tracker.address)  # log_model knows no other way; the registry follows it
    with (
        writing_artifacts(before.artifact_uri),
        mlflow.start_run(run_id=run.run_id),
        warnings.catch_warnings(),
    ):
        # An example would make MLflow load the weights at once.
        warnings.filterwarnings("ignore", message=".*input example was not provided.*")
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(MODEL_CODE),
            model_config={
                "store_root": str(store_root.absolute()),
                "fingerprint": folder.reference.fingerprint,
                "manifest_hash": folder.manifest_hash(),
            },
            signature=MODEL_SIGNATURE,
            pip_requirements=[f"{name}=={version}" for name, version in library_versions(MODEL_LIBRARIES).items()],
        )
    client.update_run(run.run_id, before.status)  # leaving the block above has called it finished
    if not client.search_registered_models(f"name = '{model_name}'"):
        client.create_registered_model(model_name)
    return client.create_model_version(model_name, source=info.model_uri, run_id=run.run_id, model_id=info.model_id)
