"""What the pages read from the store. Pure of widgets; what is complete never changes and is read once.

A folder that cannot be read shows as broken, with the reason, and harms no other.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st
from pydantic import ValidationError

from glam.analysis.verdict import Verdict
from glam.records import HeldoutPoint, RunSummary, StepMetrics
from glam.store import Folder, Store, StoreError

MAX_POINTS = 2_000
READ_ERRORS = (StoreError, ValidationError, json.JSONDecodeError, UnicodeDecodeError, OSError, KeyError)


@dataclass(frozen=True)
class VerdictEntry:
    """A finished study."""

    name: str
    fingerprint: str
    ended: datetime

    @property
    def title(self) -> str:
        return f"{self.name} · {self.ended:%Y-%m-%d %H:%M} UTC · {self.fingerprint}"


@dataclass(frozen=True)
class RunEntry:
    """A training run, finished or not."""

    name: str
    fingerprint: str
    state: str
    """complete, running, interrupted or broken."""
    started: datetime | None
    num_steps: int | None
    """Steps that the run is to have; known once it is complete."""
    summary: RunSummary | None
    last: StepMetrics | None
    problem: str = ""

    @property
    def title(self) -> str:
        return f"{self.name} · {self.state} · {self.fingerprint}"


@dataclass(frozen=True)
class Curves:
    """Records of one run, thinned to MAX_POINTS each."""

    steps: tuple[StepMetrics, ...]
    heldout: tuple[HeldoutPoint, ...]


def store_root() -> Path:
    """GLAM_STORE, else `.glam` in the working folder."""
    return Path(os.environ.get("GLAM_STORE") or ".glam").absolute()


def list_verdicts(root: Path) -> list[VerdictEntry]:
    """Finished studies, newest first."""
    found = []
    for folder in Store(root).folders("verdicts"):
        if folder.complete:
            ended = datetime.fromtimestamp((folder.path / "manifest.json").stat().st_mtime, UTC)
            found.append(VerdictEntry(folder.reference.label, folder.reference.fingerprint, ended))
    return sorted(found, key=lambda entry: entry.ended, reverse=True)


@st.cache_data(show_spinner=False, max_entries=50)
def read_verdict(root: Path, fingerprint: str) -> Verdict:
    """Raises StoreError for a verdict that is not one of this version."""
    folder = Store(root).open("verdicts", fingerprint)
    try:
        return Verdict.model_validate(folder.read_json("verdict.json"))
    except READ_ERRORS as error:
        raise StoreError(f"{folder.path}/verdict.json cannot be read: {_reason(error)}") from error


def list_runs(root: Path) -> list[RunEntry]:
    """Every run of the store, the latest first."""
    entries = [_entry(root, folder) for folder in Store(root).folders("runs")]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(entries, key=lambda entry: entry.started or oldest, reverse=True)


def read_curves(root: Path, fingerprint: str) -> Curves | None:
    """Curves of a run, open or complete; None where there is nothing to read."""
    folder = Store(root).find("runs", fingerprint)
    return None if folder is None else _curves(str(folder.path), _version(folder))


@st.cache_data(show_spinner=False, max_entries=200)
def _curves(path: str, version: str) -> Curves | None:  # noqa: ARG001 - `version` tells the cache of a grown file
    folder = _folder(Path(path))
    try:
        # A step that was repeated after an interruption is written again; the last writing counts.
        steps = {each.step: each for each in folder.read("steps.jsonl", StepMetrics)}
        points = {each.step: each for each in folder.read("heldout.jsonl", HeldoutPoint)}
    except READ_ERRORS:
        return None
    return Curves(_thin([steps[key] for key in sorted(steps)]), _thin([points[key] for key in sorted(points)]))


def _entry(root: Path, folder: Folder) -> RunEntry:
    return _read_entry(str(root), folder.reference.fingerprint, folder.state(), _version(folder))


@st.cache_data(show_spinner=False, max_entries=2_000)
def _read_entry(root: str, fingerprint: str, state: str, version: str) -> RunEntry:  # noqa: ARG001 - as above
    folder = Store(root).find("runs", fingerprint)
    assert folder is not None, "the caller has just listed it"
    started, num_steps, summary, last, problem = None, None, None, None, ""
    try:
        if folder.complete:
            manifest = folder.manifest()
            started, num_steps = manifest.started, _planned_steps(manifest.config)
            summary = RunSummary.model_validate(folder.read_json("summary.json"))
        else:
            started = datetime.fromisoformat(folder.read_json("state.json")["started"])
        last = next(reversed(folder.read("steps.jsonl", StepMetrics)), None)
    except READ_ERRORS as error:
        state, problem = "broken", _reason(error)
    return RunEntry(folder.reference.label, fingerprint, state, started, num_steps, summary, last, problem)


def _planned_steps(config: dict[str, object]) -> int | None:
    train = config.get("train")
    steps = train.get("num_steps") if isinstance(train, dict) else None
    return steps if isinstance(steps, int) else None


def _folder(path: Path) -> Folder:
    label, _, fingerprint = path.name.rpartition("-")
    return Folder(path, Store(path.parents[1]).reference("runs", label, fingerprint))


def _version(folder: Folder) -> str:
    """Changes whenever the records that the pages show change."""
    marks = []
    for name in ("manifest.json", "state.json", "summary.json", "steps.jsonl", "heldout.jsonl"):
        path = folder.path / name
        if path.exists():
            status = path.stat()
            # The heartbeat of state.json is no news.
            marks.append(f"{name}:{status.st_size}" + ("" if name == "state.json" else f":{status.st_mtime_ns}"))
    return " ".join(marks)


def _thin(records: list) -> tuple:
    """At most MAX_POINTS of them, evenly, the last one always."""
    if len(records) <= MAX_POINTS:
        return tuple(records)
    every = (len(records) - 1) / (MAX_POINTS - 1)
    return tuple(records[round(place * every)] for place in range(MAX_POINTS))


def _reason(error: Exception) -> str:
    sentence = " ".join(str(error).split()) or "no reason given"
    return f"{type(error).__name__}: {sentence[:200]}"
