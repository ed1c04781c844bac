"""Records of what prepare kept and dropped: the data page reads these, not the logs."""

from collections.abc import Iterable

from glam.data.overlap import Overlap
from glam.records import Document, Drop, Record


class Amount(Record):
    """So much text."""

    documents: int
    bytes: int
    """In UTF-8."""


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
    num_units: int
    heldout_units: tuple[str, ...]
    auc: float | None
    classifier_skipped: str | None
    overlap: Overlap


def amount(documents: Iterable[Document]) -> Amount:
    """Documents counted and weighed."""
    sizes = [len(document.text.encode()) for document in documents]
    return Amount(documents=len(sizes), bytes=sum(sizes))


def amount_by_source(documents: Iterable[Document]) -> dict[str, Amount]:
    """The same for each source."""
    by_source: dict[str, list[Document]] = {}
    for document in documents:
        by_source.setdefault(document.source, []).append(document)
    return {source: amount(by_source[source]) for source in sorted(by_source)}


def count_drops(drops: Iterable[Drop]) -> dict[str, dict[str, int]]:
    """Number of drops by reason, then source."""
    counts: dict[str, dict[str, int]] = {}
    for drop in drops:
        of_reason = counts.setdefault(drop.reason, {})
        of_reason[drop.source] = of_reason.get(drop.source, 0) + 1
    return counts


def add_amounts(parts: Iterable[dict[str, Amount]]) -> dict[str, Amount]:
    """Sums by source."""
    total: dict[str, Amount] = {}
    for part in parts:
        for source, each in part.items():
            before = total.get(source, Amount(documents=0, bytes=0))
            total[source] = Amount(documents=before.documents + each.documents, bytes=before.bytes + each.bytes)
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
