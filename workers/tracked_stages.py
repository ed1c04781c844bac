"""What MLflow is told of each kind of folder: parameters and tags of a run, its numbers and its files."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glam.data.report import SelectionReport
from glam.lineage import DataStages, RunStage, ScoreStage
from glam.records import EnergyUse, EvalResult, HeldoutPoint, StepMetrics
from glam.store import Folder, Store
from workers.tracking import TrackedRun

CONFIG, MANIFEST = "config.json", "manifest.json"
STEPS, HELDOUT, SELECTION, ENERGY = "steps.jsonl", "heldout.jsonl", "report.json", "energy.json"

Judged = tuple[ScoreStage, Folder, EvalResult]


def tell_prepared(run: TrackedRun, data: DataStages, store: Store) -> None:
    """Amounts of text after each step, and what preparing took."""
    selected = store.open("corpora", data.selected.reference.fingerprint)
    report = SelectionReport.model_validate(selected.read_json(SELECTION))
    amounts = {f"documents/{step}": amount.documents for step, amount in report.steps.items()}
    sizes = {f"bytes/{step}": amount.bytes for step, amount in report.steps.items()}
    run.log_values(
        {**amounts, **sizes, "energy/joules": _joules([found for stage in data if (found := stage.find(store))])}
    )
    shards = store.open("shards", data.shards.reference.fingerprint)
    run.log_files({SELECTION: text(selected, SELECTION), MANIFEST: text(shards, MANIFEST)})


def tell_trained(run: TrackedRun, trained: RunStage, folder: Folder) -> None:
    """The curves; what was told while it trained is not told again."""
    run.log_steps(folder.read(STEPS, StepMetrics))
    run.log_heldout(folder.read(HELDOUT, HeldoutPoint))
    run.log_files({CONFIG: as_json(trained.experiment.model_dump(mode="json")), MANIFEST: text(folder, MANIFEST)})


def tell_evaluated(run: TrackedRun, scores: Sequence[Judged], tracked: Mapping[str, TrackedRun]) -> None:
    """All scores side by side, and each with the training run (by fingerprint in `tracked`) that it judges."""
    values: dict[str, float | None] = {}
    for score, _, result in scores:
        assert isinstance(score.subject, RunStage), "a study judges its runs"
        judged, name = score.subject.stage.reference, f"{score.task}/{score.num_shots}shot"
        values[f"{judged.label}/{name}"] = result.value
        tracked[judged.fingerprint].log_values({f"score/{name}": result.value})
    run.log_values(values)
    rows = [{"folder": str(folder.reference), **result.model_dump(mode="json")} for _, folder, result in scores]
    run.log_files({"scores.json": as_json(rows)})


def run_tags(run: RunStage) -> dict[str, str]:
    """By which a person finds a training run or its model."""
    return {"arm": run.arm, "seed": str(run.seed), "data": run.prepared.shards.reference.fingerprint}


def commits(folders: Iterable[Folder]) -> str:
    """Of the code that made these folders."""
    return ", ".join(sorted({folder.manifest().commit or "unknown" for folder in folders}))


def mark(folders: Iterable[Folder]) -> str:
    """Another one where any of the folders is another."""
    return hashlib.sha256("".join(sorted(folder.manifest_hash() for folder in folders)).encode()).hexdigest()


def text(folder: Folder, name: str) -> str:
    return (folder.path / name).read_text("utf-8")


def as_json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _joules(folders: Iterable[Folder]) -> float | None:
    """Sum over folders; unknown where one folder's is."""
    total = 0.0
    for folder in folders:
        path = folder.path / ENERGY
        used = EnergyUse.model_validate_json(path.read_bytes()).energy_joules if path.exists() else None
        if used is None:
            return None
        total += used
    return total
