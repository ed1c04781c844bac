"""What became of text on its way to shards: the reports of the folders that led there."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dashboard.queries.files import READ_ERRORS, Broken, parse, read_record, reason
from dashboard.queries.folders import find, folder_at, folders
from dashboard.queries.lines import sample_lines
from glam.data.quality import FACTS as CLASSIFIER_FACTS
from glam.data.quality import ClassifierFacts
from glam.data.report import Example, ExtractionReport, SelectionReport
from glam.data.selection import EXAMPLES
from glam.data.selection import REPORT as SELECTION_REPORT
from glam.data.shards import FACTS as SHARDS_FACTS
from glam.data.shards import ShardsFacts
from glam.data.summary import DataSummary
from glam.records import Document, Manifest
from glam.store import Folder
from glam.store.folder import MANIFEST

EXTRACTION_REPORT = "report.json"
MAX_EXAMPLES = 200
SIDES = {"training": "train-*.jsonl", "held out": "heldout-*.jsonl"}
"""Files of a selected corpus."""


@dataclass(frozen=True)
class DataEntry:
    """Shards that a model may be trained on."""

    name: str
    fingerprint: str

    @property
    def title(self) -> str:
        return f"{self.name} · {self.fingerprint[:8]}"


def list_data(root: Path) -> list[DataEntry]:
    """Complete shards, the latest first."""
    complete = [folder for folder in folders(root, "shards") if folder.complete]
    complete.sort(key=lambda folder: (folder.path / MANIFEST).stat().st_mtime_ns, reverse=True)
    return [DataEntry(folder.reference.label, folder.reference.fingerprint) for folder in complete]


def read_summary(root: Path, fingerprint: str) -> DataSummary:
    """From source to rows. Raises Broken where a folder on the way is gone or cannot be read."""
    try:
        return _summary(root, fingerprint, _version(root, fingerprint))
    except READ_ERRORS as error:
        raise Broken(reason(error)) from error


def sample_documents(root: Path, fingerprint: str, side: str, count: int) -> list[Document]:
    """Documents of one side of the corpus behind shards, taken evenly. Raises Broken."""
    try:
        selected = _read_by(_shards(root, fingerprint), "corpora", root, label_end="-selected")
        files = sorted(selected.path.glob(SIDES[side]))
        share = max(1, -(-count // max(1, len(files))))
        lines = [line for file in files for _, line in sample_lines(file, share)]
        return [Document.model_validate(parse(line)) for line in lines[:count]]
    except READ_ERRORS as error:
        raise Broken(reason(error)) from error


@lru_cache(maxsize=32)
def _summary(root: Path, fingerprint: str, version: int) -> DataSummary:  # noqa: ARG001 - a key of the cache
    shards = _shards(root, fingerprint)
    selected = _read_by(shards, "corpora", root, label_end="-selected")
    extracted = _read_by(selected, "corpora", root, label_end="-extracted")
    classifier = _read_by(selected, "classifiers", root)
    lines = sample_lines(selected.path / EXAMPLES, MAX_EXAMPLES) if (selected.path / EXAMPLES).exists() else []
    return DataSummary(
        extraction=read_record(extracted.path / EXTRACTION_REPORT, ExtractionReport),
        classifier=read_record(classifier.path / CLASSIFIER_FACTS, ClassifierFacts),
        selection=read_record(selected.path / SELECTION_REPORT, SelectionReport),
        examples=tuple(Example.model_validate(parse(line)) for _, line in lines),
        shards=read_record(shards.path / SHARDS_FACTS, ShardsFacts),
    )


def _shards(root: Path, fingerprint: str) -> Folder:
    folder = find(root, "shards", fingerprint)
    if folder is None or not folder.complete:
        raise Broken(f"there are no complete shards {fingerprint}")
    return folder


def _version(root: Path, fingerprint: str) -> int:
    return (_shards(root, fingerprint).path / MANIFEST).stat().st_mtime_ns


def _read_by(folder: Folder, kind: str, root: Path, label_end: str = "") -> Folder:
    """The folder of a kind that `folder` was made from."""
    manifest = read_record(folder_at(str(folder.path)).path / MANIFEST, Manifest)
    for name in manifest.reads:
        label, _, mark = name.rpartition("-")
        if name.startswith(f"{kind}/") and label.endswith(label_end):
            found = find(root, kind, mark)
            if found is not None and found.complete:
                return found
            raise Broken(f"the folder {kind}/*-{mark} that it was made from is gone")
    raise Broken(f"its manifest names no {kind} that it was made from")
