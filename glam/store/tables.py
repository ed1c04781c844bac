"""Many records as one Parquet file of an open folder: columns for whoever reads them with other tools."""

from collections.abc import Sequence
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from glam.records import Record
from glam.store.folder import Folder

RecordT = TypeVar("RecordT", bound=Record)


def write_table(folder: Folder, name: str, records: Sequence[Record]) -> None:
    """A row a record, in their order; nobody ever sees a part of the file."""
    # Parquet knows no dictionary without keys.
    rows = [
        {name: None if value == {} else value for name, value in record.model_dump(mode="json").items()}
        for record in records
    ]
    with folder.create(name) as out:
        pq.write_table(pa.Table.from_pylist(rows), out, compression="zstd")


def read_table(folder: Folder, name: str, record_type: type[RecordT]) -> list[RecordT]:
    """The records of such a file. Raises pydantic's ValidationError for those of another version."""
    rows = pq.ParquetFile(folder.path / name).read().to_pylist()
    dictionaries = [name for name, field in record_type.model_fields.items() if field.default == {}]
    for row in rows:
        for name in dictionaries:  # a column of them has every key in every row, None where it was not
            row[name] = {key: value for key, value in (row[name] or {}).items() if value is not None}
    return [record_type.model_validate(row) for row in rows]
