"""Quarantine: records that cannot be read are set aside, counted with file and line, and must stay few.

Not the same as a drop by a rule: a document that a rule refuses was read and judged.
"""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from glam.config import SourceConfig
from glam.data.report import ExtractionReport, most_frequent_reasons
from glam.records import Drop

FAULTS = {
    "bad_json": "the line is no JSON",
    "bad_record": "no text in it, or a field of another type",
    "bomb": "more comes out of a compressed file than text could be",
    "corrupt": "the file does not decode",
    "not_utf8": "bytes or escapes that are no character",
    "nul_bytes": "bytes of value 0",
    "oversized": "more bytes than a text has; left unread",
    "truncated": "the file ends before its end",
}
"""Reasons of drops that are quarantine, and what they mean."""
ENDS_A_FILE = frozenset({"bomb", "corrupt", "truncated"})
"""Of which one fault stands for all that was left of a file."""
EXAMPLES = 5


class Fault(NamedTuple):
    """Why a record, or all that is left of a file, gives no document."""

    reason: str
    """A key of FAULTS, or `empty`, which is no fault of the file."""
    detail: str


def require_few(config: SourceConfig, report: ExtractionReport, drops: Iterable[Drop]) -> None:
    """Raises ValueError where more than `max_quarantined_fraction` of all records are quarantined, or of all files.

    A file that ends before its end counts as lost: nobody knows how many records it had. Says how many, which first,
    and what to do; `drops` are read only for that.
    """
    quarantined = {reason: counts for reason, counts in report.dropped.items() if reason in FAULTS}
    num_quarantined = sum(sum(counts.values()) for counts in quarantined.values())
    num_records = num_quarantined + sum(amount.documents for amount in report.read.values())
    num_files = sum(sum(quarantined.get(reason, {}).values()) for reason in ENDS_A_FILE)
    few_files = num_files <= config.max_quarantined_fraction * report.num_units
    if few_files and num_quarantined <= config.max_quarantined_fraction * num_records:
        return
    lost = f", among them {num_files:,} of {report.num_units:,} files to their end," if num_files else ""
    examples = islice((f"{drop.detail} [{drop.reason}]" for drop in drops if drop.reason in FAULTS), EXAMPLES)
    raise ValueError(
        f"{num_quarantined:,} of {num_records:,} records ({num_quarantined / num_records:.2%}) of source "
        f"{config.name!r}{lost} cannot be read, more than data.source.max_quarantined_fraction="
        f"{config.max_quarantined_fraction:g} allows: {most_frequent_reasons(quarantined)}. The first: "
        f"{'; '.join(examples)}. Mend the files or leave them out, or raise the fraction to go on without these records"
    )
