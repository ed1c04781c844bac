"""Extraction: units of a source read, ruled on and written as `documents-00000.jsonl`, one file a shard.

A shard is one task; shards share nothing, and one that is finished is not done again.
"""

from collections.abc import Iterator, Sequence

from glam.config import DataConfig, FilterConfig
from glam.data.filters import first_reason
from glam.data.quarantine import require_few
from glam.data.readers import read_unit
from glam.data.report import (
    AmountBySource,
    DropCount,
    ExtractionReport,
    ShardReport,
    add_amounts,
    add_drops,
    most_frequent_reasons,
)
from glam.data.units import Unit
from glam.records import Document, Drop
from glam.store import Folder

REPORT = "report.json"


def extract_shard(filters: FilterConfig, shard: int, units: Sequence[Unit], folder: Folder) -> None:
    """Writes documents, drops and report of one shard, unless an earlier owner of the folder finished it."""
    if _finished(shard, folder):
        return
    read, kept, dropped = AmountBySource(), AmountBySource(), DropCount()
    names = documents_name(shard), _drops(shard)
    with folder.create(names[0]) as documents, folder.create(names[1]) as drops:
        for each in (each for unit in units for each in read_unit(unit)):
            drop = each if isinstance(each, Drop) else None
            if isinstance(each, Document):
                read.add(each)
                if reason := first_reason(each, filters):
                    drop = Drop(document_id=each.id, source=each.source, reason=reason)
                else:
                    kept.add(each)
                    documents.write(each.model_dump_json().encode() + b"\n")
            if drop is not None:
                dropped.add(drop)
                drops.write(drop.model_dump_json().encode() + b"\n")
    report = ShardReport(
        read=read.amounts(),
        kept=kept.amounts(),
        dropped=dropped.counts(),
        file_bytes={name: (folder.path / name).stat().st_size for name in names},
    )
    folder.write_json(_report(shard), report.model_dump(mode="json"))


def finish_extraction(config: DataConfig, num_units: int, folder: Folder) -> ExtractionReport:
    """Sums up all shards.

    Raises ValueError where no document is left, with the reasons and what to change, and where more records were
    unreadable than `max_quarantined_fraction` allows, with the first of them.
    """
    shards = range(config.source.num_shards)
    unfinished = [shard for shard in shards if not _finished(shard, folder)]
    assert not unfinished, f"shards {unfinished} of {folder.path} are not finished"
    reports = [ShardReport.model_validate(folder.read_json(_report(shard))) for shard in shards]
    report = ExtractionReport(
        num_units=num_units,
        read=add_amounts(each.read for each in reports),
        kept=add_amounts(each.kept for each in reports),
        dropped=add_drops(each.dropped for each in reports),
    )
    require_few(config.source, report, (drop for shard in shards for drop in folder.read(_drops(shard), Drop)))
    if not report.kept:
        raise ValueError(
            f"no document of source {config.source.name!r} is left after extraction; dropped: "
            f"{most_frequent_reasons(report.dropped) or 'none, the source is empty'}. Loosen data.filters.* or give "
            "other text"
        )
    folder.write_json(REPORT, report.model_dump(mode="json"))
    return report


def extracted_documents(config: DataConfig, extracted: Folder) -> Iterator[Document]:
    """Documents of all shards, each in the order in which it was read."""
    for shard in range(config.source.num_shards):
        yield from extracted.stream(documents_name(shard), Document)


def documents_name(shard: int) -> str:
    """File of one shard's documents."""
    return f"documents-{shard:05d}.jsonl"


def read_report(extracted: Folder) -> ExtractionReport:
    """The report of a finished extraction."""
    return ExtractionReport.model_validate(extracted.read_json(REPORT))


def _finished(shard: int, folder: Folder) -> bool:
    """Whether the shard's report stands and its files have the sizes that it says."""
    if not (folder.path / _report(shard)).exists():
        return False
    sizes = ShardReport.model_validate(folder.read_json(_report(shard))).file_bytes
    return all((folder.path / name).exists() and (folder.path / name).stat().st_size == sizes[name] for name in sizes)


def _drops(shard: int) -> str:
    return f"drops-{shard:05d}.jsonl"


def _report(shard: int) -> str:
    return f"report-{shard:05d}.json"
