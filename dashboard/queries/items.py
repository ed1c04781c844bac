"""Items of a task, two models side by side, read by columns: 100,000 of them cost what the page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dashboard.queries.files import READ_ERRORS, Broken, reason, regular_size
from dashboard.queries.folders import Marks
from dashboard.queries.scores import ITEMS, ScoreEntry

MAX_ITEMS = 2_000_000
MAX_COLUMN_BYTES = 256 << 20
OUTCOMES = ("item_id", "value", "chosen", "right")
"""Read of all items; the rest only of those on a page."""
DETAILS = (
    *("item_id", "cluster", "value", "margin", "right_nats", "demonstrations", "prompt", "prompt_sha256"),
    *("choices", "right", "log_likelihoods", "choice_tokens", "chosen", "generation", "references", "excess_tokens"),
)
ROWS_AT_ONCE = 512
Which = Literal["all", "both right", "only first", "only second", "both wrong"]


@dataclass(frozen=True)
class Outcomes:
    """N items of one model; to be read only."""

    id_N: NDArray[np.object_]
    value_N: NDArray[np.float64]
    """NaN: not asked, as it does not fit."""
    right_N: NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """N items that both models were asked, in the first one's order."""

    id_N: NDArray[np.object_]
    first_row_N: NDArray[np.intp]
    """Places in the two files."""
    second_row_N: NDArray[np.intp]
    difference_N: NDArray[np.float64]
    """First value minus second."""
    first_right_N: NDArray[np.bool_]
    second_right_N: NDArray[np.bool_]

    def which(self, name: Which) -> NDArray[np.intp]:
        """Places of the items of a kind."""
        one, two = self.first_right_N, self.second_right_N
        chosen = {
            "all": np.ones(len(one), dtype=bool),
            "both right": one & two,
            "only first": one & ~two,
            "only second": ~one & two,
            "both wrong": ~one & ~two,
        }[name]
        return np.flatnonzero(chosen)


def pair_items(first: ScoreEntry, second: ScoreEntry) -> Pairs:
    """Raises Broken where one's items cannot be read."""
    return _pairs(first.folder, first.version, second.folder, second.version)


def read_rows(score: ScoreEntry, rows: Sequence[int]) -> list[Mapping[str, Any]]:
    """Everything about the items at these places of a score's file, in the order asked for. Raises Broken."""
    path = Path(score.folder) / ITEMS
    try:
        return _rows(path, rows)
    except READ_ERRORS as error:
        raise Broken(f"{path.parent.name}/{ITEMS}: {reason(error)}") from error


@lru_cache(maxsize=8)
def _pairs(first: str, first_version: Marks, second: str, second_version: Marks) -> Pairs:
    one, two = _outcomes(first, first_version), _outcomes(second, second_version)
    if len(one.id_N) == len(two.id_N) and bool((one.id_N == two.id_N).all()):
        row_N = other_N = np.arange(len(one.id_N))
    else:
        place_of = dict(zip(two.id_N[::-1], range(len(two.id_N) - 1, -1, -1), strict=True))  # the first of a name
        place_N = np.array([place_of.get(name, -1) for name in one.id_N], dtype=np.intp)
        row_N = np.flatnonzero(place_N >= 0)
        other_N = place_N[row_N]
    return Pairs(
        id_N=one.id_N[row_N],
        first_row_N=row_N,
        second_row_N=other_N,
        difference_N=one.value_N[row_N] - two.value_N[other_N],
        first_right_N=one.right_N[row_N],
        second_right_N=two.right_N[other_N],
    )


@lru_cache(maxsize=16)
def _outcomes(folder: str, version: Marks) -> Outcomes:  # noqa: ARG001 - a key of the cache
    path = Path(folder) / ITEMS
    try:
        table = _open(path, OUTCOMES).read(columns=list(OUTCOMES))
        value_N = np.asarray(table["value"].to_numpy(), dtype=np.float64)
        chosen_N = np.asarray(table["chosen"].cast(pa.float64()).to_numpy(), dtype=np.float64)
        id_N = np.asarray(table["item_id"].to_numpy(), dtype=object)
        right = table["right"].combine_chunks()
    except READ_ERRORS as error:
        raise Broken(f"{path.parent.name}/{ITEMS}: {reason(error)}") from error
    right_N = value_N == 1
    if not pa.types.is_null(right.type.value_type):  # choices: the chosen one is among the right ones
        parents = right.value_parent_indices().to_numpy(zero_copy_only=False)
        hits = np.asarray(right.flatten().to_numpy(zero_copy_only=False)) == chosen_N[parents]
        right_N = np.where(np.isnan(chosen_N), right_N, False)
        right_N[parents[hits]] = True
    return Outcomes(id_N, value_N, right_N)


def _rows(path: Path, rows: Sequence[int]) -> list[Mapping[str, Any]]:
    file = _open(path, ())
    columns = [name for name in DETAILS if name in file.schema_arrow.names]
    ends = np.cumsum([file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)])
    found: dict[int, Mapping[str, Any]] = {}
    for group, (start, end) in enumerate(pairwise([0, *ends.tolist()])):
        wanted = sorted(row for row in set(rows) if start <= row < end)
        if not wanted:
            continue
        place = start
        for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=columns):
            for row in wanted:
                if place <= row < place + batch.num_rows:
                    found[row] = batch.slice(row - place, 1).to_pylist()[0]
            place += batch.num_rows
            if place > wanted[-1]:
                break
    return [found[row] for row in rows]


def _open(path: Path, whole_columns: Sequence[str]) -> pq.ParquetFile:
    """Raises Broken for a file that is no regular one, or larger than a page should read."""
    regular_size(path)
    file = pq.ParquetFile(path)
    if file.metadata.num_rows > MAX_ITEMS:
        raise Broken(f"{file.metadata.num_rows:,} items, more than the {MAX_ITEMS:,} that a page reads")
    for group in range(file.metadata.num_row_groups):
        for place in range(file.metadata.num_columns):
            column = file.metadata.row_group(group).column(place)
            name = column.path_in_schema.split(".")[0]
            if name in whole_columns and column.total_uncompressed_size > MAX_COLUMN_BYTES:
                raise Broken(f"column {name} is larger than a page reads")
    return file
