"""Scores by what was judged: an index that opens only the folders of the models a page shows."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard.queries.files import READ_ERRORS, Broken, read_record, reason
from dashboard.queries.folders import Marks, folder_at, folders, marks
from dashboard.queries.runs import RunEntry
from glam.records import EvalResult, Manifest
from glam.store.folder import MANIFEST

RESULT, ITEMS, EXPERTS = "result.json", "items.parquet", "experts.json"
LABEL = re.compile(r"(?P<subject>.+)-[a-z0-9_.]+-[0-9]+shot")
LONGEST_LABEL = 60
"""The store cuts longer ones."""
OF_THE_MODEL = ("weights", "model", "tokenizer", "dtype", "heldout")
"""Fields of a score's configuration that say what was judged, not what was asked."""
UNKNOWN_RUN = "?"
"""Of a score whose manifest cannot be read: it shows with whatever its label fits."""


@dataclass(frozen=True)
class Subject:
    """What was judged: a run of the store, or a checkpoint from elsewhere."""

    title: str
    label: str
    run_fingerprint: str | None
    arm: str


@dataclass(frozen=True)
class ScoreEntry:
    """One task at one number of shots, of one subject."""

    folder: str
    """Its path."""
    fingerprint: str
    task: str
    num_shots: int
    settings: str
    """All else that was asked for: scores of two models may be compared item by item where it agrees."""
    result: EvalResult | None
    version: Marks
    problem: str = ""

    @property
    def key(self) -> tuple[str, int, str]:
        return self.task, self.num_shots, self.settings


def list_subjects(root: Path, runs: Sequence[RunEntry]) -> list[Subject]:
    """Everything that may have been judged: runs of these whose label stands before a score's, then checkpoints."""
    labels = _subject_labels(folders(root, "scores"))
    known = {run.name for run in runs}
    subjects = [Subject(run.title, run.name, run.fingerprint, run.arm) for run in runs if run.name in labels]
    return subjects + [Subject(f"{label} (checkpoint)", label, None, label) for label in sorted(labels - known)]


def scores_of(root: Path, subject: Subject) -> list[ScoreEntry]:
    """Its complete scores, by task and shots; broken ones have a problem."""
    found = []
    for folder in folders(root, "scores"):
        # The whole label may have been cut, so its beginning decides which manifests are read.
        if not folder.reference.label.startswith(f"{subject.label}-"[:LONGEST_LABEL]) or not folder.complete:
            continue
        run, entry = _read(str(folder.path), marks(folder, (RESULT, ITEMS, EXPERTS)))
        if run in (subject.run_fingerprint, UNKNOWN_RUN):
            found.append(entry)
    return sorted(found, key=lambda entry: entry.key)


@lru_cache(maxsize=8)
def _subject_labels(every: tuple[Any, ...]) -> frozenset[str]:
    found = (LABEL.fullmatch(folder.reference.label) for folder in every)
    return frozenset(match["subject"] for match in found if match is not None)


@lru_cache(maxsize=16_384)
def _read(path: str, version: Marks) -> tuple[str | None, ScoreEntry]:
    """(fingerprint of the run that was judged, the entry)."""
    folder = folder_at(path)
    mark, label = folder.reference.fingerprint, folder.reference.label
    try:
        manifest = read_record(folder.path / MANIFEST, Manifest)
        asked = {name: value for name, value in manifest.config.items() if name not in OF_THE_MODEL}
        task, shots = asked.pop("task"), asked.pop("num_shots")
        if not isinstance(task, str) or not isinstance(shots, int):
            raise Broken("its manifest names no task")
    except READ_ERRORS as error:
        return UNKNOWN_RUN, ScoreEntry(path, mark, label, 0, "", None, version, reason(error))
    runs = [name.rpartition("-")[2] for name in manifest.reads if name.startswith("runs/")]
    result, problem = None, ""
    try:
        result = read_record(folder.path / RESULT, EvalResult)
    except READ_ERRORS as error:
        problem = reason(error)
    settings = json.dumps(asked, sort_keys=True)
    return runs[0] if runs else None, ScoreEntry(path, mark, task, shots, settings, result, version, problem)
