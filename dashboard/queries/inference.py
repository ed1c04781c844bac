"""Measurements of trained models that write text."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from dashboard.queries.files import READ_ERRORS, read_record, reason
from dashboard.queries.folders import Marks, folder_at, folders, marks
from glam.inference import RESULT
from glam.records import InferenceResult, Manifest
from glam.store.folder import MANIFEST

OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class InferenceEntry:
    """A measurement of a trained model that writes text."""

    name: str
    fingerprint: str
    state: str
    """complete, running, interrupted or broken."""
    ended: datetime | None
    result: InferenceResult | None
    """None unless it is complete."""
    problem: str = ""


def list_inference(root: Path) -> list[InferenceEntry]:
    """Every measurement of the store, the latest first."""
    found = [_read(str(each.path), each.state(), marks(each, (RESULT,))) for each in folders(root, "inference")]
    return sorted(found, key=lambda entry: entry.ended or OLDEST, reverse=True)


@lru_cache(maxsize=512)
def _read(path: str, state: str, version: Marks) -> InferenceEntry:  # noqa: ARG001 - a key of the cache
    folder = folder_at(path)
    ended, result, problem = None, None, ""
    if state == "complete":
        try:
            ended = read_record(folder.path / MANIFEST, Manifest).ended.astimezone(UTC)
            result = read_record(folder.path / RESULT, InferenceResult)
        except READ_ERRORS as error:
            state, problem = "broken", reason(error)
    return InferenceEntry(folder.reference.label, folder.reference.fingerprint, state, ended, result, problem)
