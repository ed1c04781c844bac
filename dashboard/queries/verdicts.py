"""Finished studies and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from dashboard.queries.curves import HELDOUT_FIELDS
from dashboard.queries.files import READ_ERRORS, Broken, read_bytes, read_record, reason
from dashboard.queries.folders import Marks, find, folder_at, folders, marks
from dashboard.queries.lines import Columns
from glam.analysis.verdict import Verdict
from glam.records import HeldoutPoint, Manifest
from glam.store.folder import MANIFEST

VERDICT, REPORT = "verdict.json", "report.html"
MAX_REPORT_BYTES = 64 << 20


@dataclass(frozen=True)
class VerdictEntry:
    """A finished study."""

    name: str
    fingerprint: str
    ended: datetime
    runs: frozenset[str]
    """Fingerprints of the runs that it judges."""
    problem: str = ""

    @property
    def title(self) -> str:
        return f"{self.name} · {self.ended:%Y-%m-%d %H:%M} UTC · {self.fingerprint[:8]}"


def list_verdicts(root: Path) -> list[VerdictEntry]:
    """Finished studies, the latest first."""
    found = [_entry(str(each.path), marks(each)) for each in folders(root, "verdicts") if each.complete]
    return sorted(found, key=lambda entry: entry.ended, reverse=True)


def read_verdict(root: Path, fingerprint: str) -> Verdict:
    """Raises Broken, with the reason, for a verdict that is not one of this version."""
    folder = find(root, "verdicts", fingerprint)
    if folder is None:
        raise Broken(f"there is no verdict {fingerprint}")
    try:
        return _verdict(str(folder.path), marks(folder, (VERDICT,)))
    except READ_ERRORS as error:
        raise Broken(f"{folder.path.name}/{VERDICT} cannot be read: {reason(error)}") from error


def read_report(root: Path, fingerprint: str) -> bytes:
    """The study's report, one HTML file. Raises one of READ_ERRORS."""
    folder = find(root, "verdicts", fingerprint)
    if folder is None:
        raise Broken(f"there is no verdict {fingerprint}")
    return read_bytes(folder.path / REPORT, most=MAX_REPORT_BYTES)


def heldout_columns(points: Sequence[HeldoutPoint]) -> Columns:
    """The points of a verdict's curve, as `Curve` has them."""
    return {
        name: np.array([getattr(point, name) for point in points], dtype=np.float64)  # None becomes NaN
        for name in HELDOUT_FIELDS
    }


@lru_cache(maxsize=2_048)
def _entry(path: str, version: Marks) -> VerdictEntry:
    folder = folder_at(path)
    assert version[0] is not None, "it is complete"
    ended, runs, problem = datetime.fromtimestamp(version[0][1] / 1e9, UTC), frozenset(), ""
    try:
        manifest = read_record(folder.path / MANIFEST, Manifest)
        ended = manifest.ended.astimezone(UTC)
        runs = frozenset(name.rpartition("-")[2] for name in manifest.reads if name.startswith("runs/"))
    except READ_ERRORS as error:
        problem = reason(error)
    return VerdictEntry(folder.reference.label, folder.reference.fingerprint, ended, runs, problem)


@lru_cache(maxsize=64)
def _verdict(path: str, version: Marks) -> Verdict:  # noqa: ARG001 - a key of the cache
    return read_record(folder_at(path).path / VERDICT, Verdict)
