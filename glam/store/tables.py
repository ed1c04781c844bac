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


def read_table(
    folder: Folder, name: str, record_type: type[RecordT], *, columns: Sequence[str] | None = None
) -> list[RecordT]:
    """The records of such a file; with `columns` only these fields, the others as if they had not been given.

    Raises pydantic's ValidationError for records of another version.
    """
    rows = pq.ParquetFile(folder.path / name).read(columns=columns).to_pylist()
    fields = record_type.model_fields.items()
    dictionaries = [name for name, field in fields if field.default == {} and (columns is None or name in columns)]
    for row in rows:
        for name in dictionaries:  # a column of them has every key in every row, None where it was not
            row[name] = {key: value for key, value in (row[name] or {}).items() if value is not None}
    return [record_type.model_validate(row) for row in rows]
