"""The ledger of a shard: what selection must know of each document, as arrays, so that texts stay on disk.

Keys are 64-bit hashes. Beside the rows stand the same keys sorted, so that one partition of all keys of a
corpus is a slice of every shard's file: matching takes the memory of a partition, not of the corpus.
"""

# D documents of a shard, N sorted keys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glam.config import DataConfig
from glam.data.arrays import load_array, save_array
from glam.data.dedup import band_keys, signatures, text_hash
from glam.data.draws import draw
from glam.data.quality import Classifier, keeps
from glam.records import Document
from glam.store import Folder

ROW = np.dtype(
    [
        ("id_key", "<u8"),
        ("text_key", "<u8"),
        ("record_key", "<u8"),
        ("unit_key", "<u8"),
        ("num_bytes", "<i8"),
        ("score", "<f8"),
        ("source", "<u4"),
        ("good", "?"),
        ("curated", "?"),
    ]
)
"""`record_key` is a hash of all that is known of the document; `unit_key` is the unit's draw for the split; `score` is
NaN where the classifier did not judge; `good`: the keep rule keeps it."""
KEYED = np.dtype([("key", "<u8"), ("row", "<i8")])
"""All of eight bytes, here and elsewhere: a column that is not aligned is copied before it is searched."""
KINDS = ("id", "text", "band")
"""What documents are matched by: their ids, their normalised texts, and the bands of their signatures."""
MEASURED_AT_ONCE = 512
MOST_SOURCES = 1000


class Member(NamedTuple):
    """A document by its place."""

    shard: int
    row: int


def write_ledger(
    config: DataConfig, shard: int, documents: Iterable[Document], classifier: Classifier | None, folder: Folder
) -> None:
    """Measures the documents of one shard; the rows are written last and say that the ledger is finished."""
    rows: list[NDArray] = [np.empty(0, ROW)]
    keys: dict[str, list[NDArray]] = {kind: [np.empty(0, np.uint64)] for kind in KINDS}
    places: dict[str, list[NDArray]] = {kind: [np.empty(0, np.int64)] for kind in KINDS}
    ids: list[bytes] = []
    sources: dict[str, int] = {}
    for batch in _batches(documents):
        part = _rows(config, batch, classifier, sources)
        place_D = np.arange(len(ids), len(ids) + len(batch), dtype=np.int64)
        rows.append(part)
        ids += [document.id.encode() for document in batch]
        good_D = part["good"]
        texts = [document.text for document, good in zip(batch, good_D, strict=True) if good]
        band_DB = band_keys(signatures(texts, config.dedup), config.dedup)
        keys["id"].append(part["id_key"])
        keys["text"].append(part["text_key"][good_D])
        keys["band"].append(band_DB.ravel())
        places["id"].append(place_D)
        places["text"].append(place_D[good_D])
        places["band"].append(np.repeat(place_D[good_D], band_DB.shape[1]))
    joined = {kind: (np.concatenate(keys[kind]), np.concatenate(places[kind])) for kind in KINDS}
    save_ledger(folder, shard, np.concatenate(rows), ids, list(sources), joined)


def save_ledger(
    folder: Folder,
    shard: int,
    row_D: NDArray,
    ids: Sequence[bytes],
    sources: Sequence[str],
    keys: Mapping[str, tuple[NDArray[np.uint64], NDArray[np.int64]]],
) -> None:
    """Writes the ledger of one shard; `keys` by KINDS: (key, place of its document), in any order."""
    for kind, (key_N, place_N) in keys.items():
        keyed = np.empty(len(key_N), KEYED)
        order = np.argsort(key_N, kind="stable")
        keyed["key"], keyed["row"] = key_N[order], place_N[order]
        save_array(folder, _keys_name(kind, shard), keyed)
    save_array(folder, f"ids-{shard:05d}", np.frombuffer(b"".join(ids), np.uint8))
    save_array(folder, f"id_ends-{shard:05d}", np.cumsum([0, *map(len, ids)], dtype=np.int64))
    folder.write_json(f"sources-{shard:05d}.json", list(sources))
    save_array(folder, _rows_name(shard), row_D)


def has_ledger(shard: int, folder: Folder) -> bool:
    """Whether an earlier owner of the folder finished that shard's."""
    return (folder.path / f"{_rows_name(shard)}.npy").exists()


class Ledger:
    """The ledgers of all shards together. A document's number counts through the shards in order."""

    def __init__(self, folder: Folder, num_shards: int, *, with_guests: bool = False):
        """`with_guests`: after the shards comes another one, of documents that are only there to be matched."""
        self._folder = folder
        self.num_shards = num_shards
        shards = num_shards + with_guests
        self._rows = [load_array(folder, _rows_name(shard), mapped=True) for shard in range(shards)]
        self.first_S = np.cumsum([0, *map(len, self._rows)])
        """Number of each shard's first document, the guests' at last; one more entry for the end."""
        self._ids: dict[int, tuple[NDArray, NDArray]] = {}

    def __len__(self) -> int:
        return int(self.first_S[-1])

    @property
    def num_own(self) -> int:
        """Documents that are no guests, the first of all."""
        return int(self.first_S[self.num_shards])

    def take(self, name: str, number_N: NDArray[np.int64]) -> NDArray:
        """One field of some documents' rows."""
        shard_N = np.searchsorted(self.first_S, number_N, side="right") - 1
        taken = np.empty(len(number_N), ROW[name])
        for shard in np.unique(shard_N).tolist():
            own_N = shard_N == shard
            taken[own_N] = self._rows[shard][name][number_N[own_N] - self.first_S[shard]]
        return taken

    def shard(self, number: int) -> NDArray:
        """Rows of one shard."""
        return self._rows[number]

    def sources(self, shard: int) -> list[str]:
        """Names that the `source` of a shard's rows stands for."""
        return self._folder.read_json(f"sources-{shard:05d}.json")

    def place(self, number: int) -> Member:
        """Shard and row of a document."""
        shard = int(np.searchsorted(self.first_S, number, side="right")) - 1
        return Member(shard, number - int(self.first_S[shard]))

    def id_of(self, number: int) -> str:
        """The id of a document."""
        shard, row = self.place(number)
        if shard not in self._ids:
            self._ids[shard] = (
                load_array(self._folder, f"ids-{shard:05d}", mapped=True),
                load_array(self._folder, f"id_ends-{shard:05d}", mapped=True),
            )
        blob, ends = self._ids[shard]
        return bytes(blob[ends[row] : ends[row + 1]]).decode()

    def matches(self, kind: str, partition: int, num_partitions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(group, number) of documents that share a key with another one; keys of one of equal parts of all keys."""
        keys, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for shard in range(len(self._rows)):
            keyed = load_array(self._folder, _keys_name(kind, shard), mapped=True)
            start = _first_of_partition(keyed["key"], partition, num_partitions)
            end = _first_of_partition(keyed["key"], partition + 1, num_partitions)
            keys.append(keyed["key"][start:end])
            numbers.append(keyed["row"][start:end].astype(np.int64) + self.first_S[shard])
        return alike(np.concatenate(keys), np.concatenate(numbers))


def alike(keys: NDArray[np.uint64], numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(group, number) of those whose key is not theirs alone, groups together."""
    order = np.argsort(keys, kind="stable")
    keys, numbers = keys[order], numbers[order]
    same_as_before = np.concatenate([[False], keys[1:] == keys[:-1]]) if len(keys) else np.empty(0, bool)
    shared = same_as_before | np.concatenate([same_as_before[1:], [False]]) if len(keys) else same_as_before
    return np.cumsum(~same_as_before)[shared], numbers[shared]


def _rows(
    config: DataConfig, documents: Sequence[Document], classifier: Classifier | None, sources: dict[str, int]
) -> NDArray:
    rows = np.empty(len(documents), ROW)
    rows["score"] = _scores(documents, classifier)
    quality = config.quality
    for place, document in enumerate(documents):
        row = rows[place]
        row["id_key"] = draw(document.id)
        row["text_key"] = text_hash(document.text)
        row["record_key"] = draw(document.model_dump_json())
        row["unit_key"] = draw(document.unit, config.split.seed)
        row["num_bytes"] = len(document.text.encode())
        row["source"] = sources.setdefault(document.source, len(sources))
        if len(sources) > MOST_SOURCES:
            raise ValueError(
                f"more than {MOST_SOURCES} different sources, the last one {document.source[:80]!r}: all is counted by "
                "source, so the field `source` should name a kind of text; what names a document is its `id` or `unit`"
            )
        row["curated"] = document.curated
        score = float(row["score"])
        row["good"] = np.isnan(score) or keeps(document.id, score, alpha=quality.alpha, seed=quality.seed)
    return rows


def _scores(documents: Sequence[Document], classifier: Classifier | None) -> NDArray[np.float64]:
    """Of curated text, and of all text where there is no classifier, NaN."""
    scores = np.full(len(documents), np.nan)
    if classifier is not None:
        judged = np.array([not document.curated for document in documents], dtype=bool)
        scores[judged] = classifier.score([document.text for document in documents if not document.curated])
    return scores


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    remaining = iter(documents)
    while batch := list(islice(remaining, MEASURED_AT_ONCE)):
        yield batch


def _first_of_partition(sorted_keys: NDArray[np.uint64], partition: int, num_partitions: int) -> int:
    if partition == num_partitions:
        return len(sorted_keys)
    return int(np.searchsorted(sorted_keys, np.uint64(partition * 2**64 // num_partitions)))


def _rows_name(shard: int) -> str:
    return f"rows-{shard:05d}"


def _keys_name(kind: str, shard: int) -> str:
    return f"{kind}_keys-{shard:05d}"
