"""Records of what prepare kept and dropped: the data page reads these, not the logs."""

from collections import Counter
from collections.abc import Iterable

from glam.data.overlap import BenchmarkOverlap, Overlap
from glam.records import Document, Drop, Record


class Amount(Record):
    """So much text."""

    documents: int
    bytes: int
    """In UTF-8."""

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(documents=self.documents + other.documents, bytes=self.bytes + other.bytes)


NOTHING = Amount(documents=0, bytes=0)


class SelectionDrop(Drop):
    """A drop of the selection, with what decided it."""

    survivor_id: str | None = None
    """The document that a duplicate fell to."""
    score: float | None = None
    """The classifier's, for a drop by quality."""


class ShardReport(Record):
    """One file shard of extraction. Its file is written last: it says that the shard is finished."""

    read: dict[str, Amount]
    """By source, before the rules."""
    kept: dict[str, Amount]
    dropped: dict[str, dict[str, int]]
    """Documents and files by reason, then source."""
    file_bytes: dict[str, int]
    """Sizes of the shard's files."""


class ExtractionReport(Record):
    """`report.json` of an extracted corpus."""

    num_units: int
    read: dict[str, Amount]
    kept: dict[str, Amount]
    dropped: dict[str, dict[str, int]]


class Example(Record):
    """The beginning of a document that the classifier judged, for people to read."""

    document_id: str
    source: str
    score: float
    decile: int
    """Of the score, 0 to 9."""
    kept: bool
    """By the keep rule and all that followed; else the keep rule dropped it."""
    text: str


class SelectedShard(Record):
    """One file shard of selection. Its file is written last: it says that the shard is finished."""

    sides: dict[str, dict[str, Amount]]
    """Training and held-out side, by source."""
    dropped: dict[str, dict[str, int]]
    """By reason, then source."""
    heldout_units: tuple[str, ...]
    examples: tuple[Example, ...]


class SelectionReport(Record):
    """`report.json` of a selected corpus."""

    steps: dict[str, Amount]
    """What was left after each step: extracted, quality, exact_duplicate, near_duplicate, train, heldout."""
    kept: dict[str, Amount]
    """After all steps, by source."""
    dropped: dict[str, dict[str, int]]
    """By reason, then source; the reasons of extraction included."""
    num_near_clusters: int
    """Near-duplicate clusters of more than one document."""
    heldout_units: tuple[str, ...]
    auc: float | None
    classifier_skipped: str | None
    score_histogram: dict[str, tuple[int, ...]]
    """By source: the documents that the classifier judged in 20 bins of score; curated text is not judged."""
    overlap: Overlap
    benchmarks: tuple[BenchmarkOverlap, ...]
    """By task, of the files in `data.overlap.benchmarks`."""


class AmountBySource:
    """Text counted and weighed as it passes by."""

    def __init__(self) -> None:
        self._amounts: dict[str, Amount] = {}

    def add(self, document: Document) -> None:
        before = self._amounts.get(document.source, NOTHING)
        self._amounts[document.source] = before + Amount(documents=1, bytes=len(document.text.encode()))

    def amounts(self) -> dict[str, Amount]:
        """By source, in order of their names."""
        return dict(sorted(self._amounts.items()))


class DropCount:
    """Drops counted as they pass by."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, drop: Drop) -> None:
        self._counts[drop.reason, drop.source] += 1

    def counts(self) -> dict[str, dict[str, int]]:
        """By reason, then source."""
        dropped: dict[str, dict[str, int]] = {}
        for (reason, source), count in sorted(self._counts.items()):
            dropped.setdefault(reason, {})[source] = count
        return dropped


def add_amounts(parts: Iterable[dict[str, Amount]]) -> dict[str, Amount]:
    """Sums by source."""
    total: dict[str, Amount] = {}
    for part in parts:
        for source, each in part.items():
            total[source] = total.get(source, NOTHING) + each
    return dict(sorted(total.items()))


def add_drops(parts: Iterable[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Sums by reason and source."""
    total: dict[str, dict[str, int]] = {}
    for part in parts:
        for reason, by_source in part.items():
            of_reason = total.setdefault(reason, {})
            for source, count in by_source.items():
                of_reason[source] = of_reason.get(source, 0) + count
    return {reason: dict(sorted(total[reason].items())) for reason in sorted(total)}


def most_frequent_reasons(dropped: dict[str, dict[str, int]]) -> str:
    """`too_short 12, quality 3`: for messages."""
    counts = {reason: sum(by_source.values()) for reason, by_source in dropped.items()}
    return ", ".join(f"{reason} {counts[reason]:,}" for reason in sorted(counts, key=lambda each: -counts[each]))
