"""Where a benchmark's examples come from: files in the published format, an example a line of JSON.

`DIR/<task>/eval.jsonl` holds what is asked and `DIR/<task>/train.jsonl` what demonstrations are drawn from; a file may
also be named after the split it holds. `glam benchmarks fetch` writes them from the hub.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
Kind = type | tuple[type, ...]
Stamp = tuple[tuple[str, int, int, int, int], ...]
ASKED, POOL = "eval", "train"
"""Names of a task's two files."""


class BenchmarkError(ValueError):
    """A file of a benchmark that cannot be used; the message names task, file, row and field."""


@contextmanager
def foreseeing_no_shape(where: str) -> Iterator[None]:
    """Raises BenchmarkError, naming the row, for what comes of a field whose shape is not the published one."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise BenchmarkError(f"{where}: {said}") from error


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """The published examples of one task."""

    hub: str
    """Its data set on the Hugging Face hub."""
    subset: str | None = None
    split: str
    """Asked of the model: the one whose scores the paper gives, or the nearest whose answers are public."""
    pool: str | None = "train"
    """Demonstrations are drawn from it; None: there is none, and they are drawn from the others that are asked."""
    fields: Mapping[str, Kind]
    """What a line must have, by name; others are passed over."""
    id: Callable[[Row], str] | None = None
    """None, or an empty one: made of the line's content."""
    cluster: Callable[[Row], str] | None = None
    """Examples that share a passage; None: each for itself."""
    expand: Callable[[Row], Iterable[Row]] | None = None
    """Several rows of one line, such as the turns of a dialogue."""

    def asked(self, folder: Path, task: str) -> list[Row]:
        """Rows of the questions. Raises BenchmarkError."""
        return list(self._rows(self._file(folder, task, (self.split, ASKED)), task))

    def pooled(self, folder: Path, task: str) -> list[Row]:
        """Rows that demonstrations are drawn from; none where there is no such file. Raises BenchmarkError."""
        if self.pool is None:
            return self.asked(folder, task)
        file = self._find(folder, task, (self.pool, POOL))
        return [] if file is None else list(self._rows(file, task))

    def stamp(self, folder: Path, task: str) -> Stamp:
        """Changes when a file does, also where its time and size are made to stay."""
        files = (self._find(folder, task, (self.split, ASKED)), self._find(folder, task, (self.pool or POOL, POOL)))
        found = [(str(file), file.stat()) for file in files if file is not None]
        return tuple((name, at.st_mtime_ns, at.st_ctime_ns, at.st_ino, at.st_size) for name, at in found)

    def _file(self, folder: Path, task: str, names: tuple[str, ...]) -> Path:
        file = self._find(folder, task, names)
        if file is None:
            wanted = " or ".join(dict.fromkeys(f"{name}.jsonl" for name in names))
            raise BenchmarkError(
                f"{task}: no {wanted} in {folder / task}; an example a line of JSON, with the fields "
                f"{', '.join(self.fields)} (split {self.split} of {self.hub}"
                + (f", subset {self.subset})" if self.subset else ")")
            )
        return file

    def _find(self, folder: Path, task: str, names: tuple[str, ...]) -> Path | None:
        return next((file for name in names if (file := folder / task / f"{name}.jsonl").is_file()), None)

    def _rows(self, file: Path, task: str) -> Iterator[Row]:
        seen: dict[str, int] = {}
        with open(file, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                where = f"{task}: {file} row {number}"
                record = self._record(line, where)
                for row in self._expanded(record, where):
                    yield self._named(row, where, number, seen)

    def _expanded(self, record: Row, where: str) -> list[Row]:
        if self.expand is None:
            return [record]
        with foreseeing_no_shape(where):
            return list(self.expand(record))

    def _record(self, line: bytes, where: str) -> Row:
        try:
            record = json.loads(line.decode())
        except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or nested too deep
            raise BenchmarkError(f"{where}: no JSON ({error})") from error
        if not isinstance(record, dict):
            raise BenchmarkError(f"{where}: a JSON {type(record).__name__}, no object")
        for name, kind in self.fields.items():
            if name not in record:
                raise BenchmarkError(f"{where}: no field {name!r}; it has {', '.join(map(repr, record))}")
            if not isinstance(record[name], kind) or (isinstance(record[name], bool) and kind is not bool):
                kinds = kind if isinstance(kind, tuple) else (kind,)
                raise BenchmarkError(
                    f"{where}: field {name!r} is {record[name]!r:.60}, "
                    f"no {' or '.join(each.__name__ for each in kinds)}"
                )
        return record

    def _named(self, row: Row, where: str, number: int, seen: dict[str, int]) -> Row:
        with foreseeing_no_shape(where):
            given = "" if self.id is None else self.id(row)
            cluster = None if self.cluster is None else self.cluster(row)
            mark = given or content_mark(row)
        if mark in seen:
            if given:
                raise BenchmarkError(f"{where}: its id {mark!r} is that of row {seen[mark]} too")
            mark = f"{mark}#{number}"  # the same example twice
        seen[mark] = number
        return {**row, "id": mark, "cluster": mark if cluster is None else cluster, "where": where}


def content_mark(row: Row) -> str:
    """A short name made of what is in a row."""
    return hashlib.sha256(json.dumps(row, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
