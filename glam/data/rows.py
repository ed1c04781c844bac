"""Records, a document each: lines of JSON, rows of Parquet, rows of a data set on the hub.

A record has `text`, and where given `id`, `source`, `unit`, `curated` and `name`; other fields are ignored. One
without `unit` is a unit of its own: records of one file need not have more in common.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from glam.data.hub import data_set
from glam.data.quarantine import Fault
from glam.data.streams import MAX_BYTES, bomb, damage, lines, max_content_bytes
from glam.data.units import HubShard, Part, SourceFile
from glam.records import Document, Drop

FIELDS = ("text", "id", "source", "unit", "curated", "name")
ROWS_AT_ONCE = 4
"""Few, because a value that stands once in a Parquet file may be repeated in every row (64 at once: twice as fast)."""
Record = Mapping[str, object]


def read_jsonl(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """One document a line; blank lines are passed over."""
    for number, line in enumerate(lines(file)):
        if isinstance(line, Fault) or line.strip():
            yield document(_record(line), file, unit, number, counted="line")


def read_parquet(file: SourceFile, unit: str) -> Iterator[Document | Drop]:
    """One document a row, a few rows decoded at a time."""
    for number, row in enumerate(_rows(file)):
        yield document(row, file, unit, number, counted="row")


def read_hub(shard: HubShard, unit: str) -> Iterator[Document | Drop]:
    """One document a row of the shard, up to its `max_bytes`. What the connection raises is raised: a row that did
    not come is no fault of the data."""
    num_bytes = 0
    for number, row in enumerate(data_set(shard.hub).shard(shard.num_shards, shard.index)):
        made = document(row, shard, unit, number, counted="row")
        num_bytes += len(made.text.encode(errors="replace")) if isinstance(made, Document) else 0
        if shard.max_bytes is not None and num_bytes > shard.max_bytes:
            return
        yield made


def document(record: Record | Fault, part: Part, unit: str, number: int, *, counted: str) -> Document | Drop:
    """The document of the record with that number (from 0) in a unit's part, or why there is none.

    Its id is `unit:number` unless it says otherwise; `counted` is what people call a record, who count from 1.
    """
    record_id = f"{unit}:{number}"
    source = part.source or "records"
    made = record if isinstance(record, Fault) else _document(record, part, record_id, source)
    if isinstance(made, Document):
        return made
    reason, detail = made
    where = f"{part.place} {counted} {number + 1}"
    return Drop(document_id=record_id, source=source, reason=reason, detail=f"{where}: {detail}")


def _document(record: Record, part: Part, record_id: str, source: str) -> Document | Fault:
    fields = {name: record[name] for name in FIELDS if record.get(name) is not None}
    text = fields.get("text")
    if not isinstance(text, str):
        return Fault("bad_record", f"its text is {type(text).__name__}; its fields are {_names(record)}")
    if not text.strip():
        return Fault("empty", "no text")
    if len(text) > MAX_BYTES:
        return Fault("oversized", f"{len(text):,} characters")
    if part.source is not None:
        fields["source"] = part.source
        if "id" in fields:  # ids of other kinds may be the same numbers
            fields["id"] = f"{part.source}/{fields['id']}"
    elif isinstance(fields.get("id"), int):
        fields["id"] = str(fields["id"])
    try:
        return Document.model_validate(
            {"id": record_id, "source": source, "unit": record_id, "curated": part.curated, **fields}
        )
    except ValidationError as error:
        wrong = error.errors()[0]
        return Fault("bad_record", f"{wrong['loc'][0]}: {wrong['msg']}")


def _record(line: bytes | Fault) -> Record | Fault:
    if isinstance(line, Fault):
        return line
    if b"\0" in line:
        return Fault("nul_bytes", f"{line.count(0):,} bytes of value 0")
    try:
        record = json.loads(line.decode())
    except UnicodeDecodeError as error:
        return Fault("not_utf8", str(error))
    except (ValueError, RecursionError) as error:
        return Fault("bad_json", str(error))
    return record if isinstance(record, dict) else Fault("bad_record", f"a JSON {type(record).__name__}, no object")


def _rows(file: SourceFile) -> Iterator[Record | Fault]:
    left = max_content_bytes(file)
    try:
        with pq.ParquetFile(file.path) as parquet:
            names = parquet.schema_arrow.names
            if "text" not in names:
                yield Fault("bad_record", f"no column text; its columns are {_names(names)}")
                return
            groups = (parquet.metadata.row_group(index) for index in range(parquet.num_row_groups))
            if sum(group.total_byte_size for group in groups) > left:
                yield bomb(file)
                return
            columns = [name for name in FIELDS if name in names]
            for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
                left -= batch.nbytes
                if left < 0:
                    yield bomb(file)
                    return
                yield from (_row(batch, index) for index in range(batch.num_rows))
    except (OSError, pa.ArrowException) as error:
        yield damage(error)


def _names(fields: Iterable[str]) -> str:
    """The first of them, as ASCII: a name may hold half a surrogate pair, which no file of ours can."""
    return ascii(list(islice(fields, 20)))


def _row(batch: pa.RecordBatch, index: int) -> Record | Fault:
    try:
        return batch.slice(index, 1).to_pylist()[0]
    except UnicodeDecodeError as error:
        return Fault("not_utf8", str(error))
