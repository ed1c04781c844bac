"""Packed token ids on disk: rows of `sequence_length + 1`, read by memory map.

Documents stand one after another, each preceded by end-of-text. Row k is tokens [k*S, k*S + S + 1) of
that stream: the last token of a row is the first of the next, so every token but the first is
predicted exactly once. Files hold whole rows and so repeat one token at their seam.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glam.data.arrays import write_header
from glam.data.tokenizer import END_OF_TEXT_ID
from glam.records import Record
from glam.store import Folder

FACTS = "shards.json"
DOCUMENTS = "documents"
TOKENS_PER_FILE = 1 << 23
PLACED = np.dtype([("start", "<i8"), ("source", "<i8")])
"""Where a document begins in the stream, and its kind."""


def token_dtype(vocab_size: int) -> np.dtype:
    """Little-endian uint16, or uint32 where the vocabulary asks for it."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


class KindShare(Record):
    """What a kind of text gives to an epoch."""

    name: str
    weight: float
    """Asked for, of the kinds that have text; without weights the share of all tokens that it is."""
    num_tokens: int
    """That there are, end-of-text included."""
    tokens_of_epoch: int

    @property
    def repeats(self) -> float:
        """How often an epoch shows this text."""
        return self.tokens_of_epoch / self.num_tokens


@dataclass(frozen=True)
class Stream:
    """The documents of an epoch in their order."""

    documents: Iterator[tuple[NDArray, int]]
    """(token ids, end-of-text first; place of its kind in `sources`)."""
    num_documents: int
    sources: tuple[str, ...]
    kinds: tuple[KindShare, ...] = ()


class ShardsFacts(Record):
    """`shards.json`: how to read the files beside it."""

    sequence_length: int
    vocab_size: int
    dtype: str
    rows_per_file: int
    num_rows: int
    num_tokens: int
    """Tokens of the stream, end-of-text included."""
    num_tokens_left_out: int
    """At the end of the stream, too few for a row."""
    num_documents: int
    files: tuple[str, ...]
    sources: tuple[str, ...]
    """Kinds of text, as `documents.npy` numbers them."""
    kinds: tuple[KindShare, ...]
    end_of_text: int = END_OF_TEXT_ID


def write_shards(
    stream: Stream, folder: Folder, *, sequence_length: int, vocab_size: int, tokens_per_file: int = TOKENS_PER_FILE
) -> ShardsFacts:
    """Packs documents in the order given. Raises ValueError where they do not fill one row."""
    rows_per_file = max(1, tokens_per_file // sequence_length)
    file_tokens = rows_per_file * sequence_length
    dtype = token_dtype(vocab_size)
    files: list[str] = []
    pending = np.empty(0, dtype=dtype)
    num_tokens = 0

    def write(tokens: NDArray) -> None:
        files.append(f"tokens-{len(files):05d}.bin")
        with folder.create(files[-1]) as out:
            tokens.tofile(out)

    with folder.create(f"{DOCUMENTS}.npy") as documents:
        write_header(documents, PLACED, stream.num_documents)
        for batch in _batches(stream.documents, file_tokens):
            places = np.empty(len(batch), PLACED)
            sizes = [len(ids) for ids, _ in batch]
            places["start"] = num_tokens + np.cumsum([0, *sizes[:-1]])
            places["source"] = [source for _, source in batch]
            documents.write(places.tobytes())
            num_tokens += sum(sizes)
            pending = np.concatenate([pending, *(ids.astype(dtype, copy=False) for ids, _ in batch)])
            while len(pending) > file_tokens:
                write(pending[: file_tokens + 1])
                pending = pending[file_tokens:]
    num_rows_left = max(0, (len(pending) - 1) // sequence_length)
    if num_rows_left:
        write(pending[: num_rows_left * sequence_length + 1])
    num_rows = max(0, (num_tokens - 1) // sequence_length)
    if not num_rows:
        raise ValueError(
            f"{stream.num_documents} training documents hold {num_tokens} tokens, fewer than the {sequence_length + 1} "
            "of one row; give more text or a smaller data.sequence_length"
        )
    facts = ShardsFacts(
        sequence_length=sequence_length,
        vocab_size=vocab_size,
        dtype=dtype.str,
        rows_per_file=rows_per_file,
        num_rows=num_rows,
        num_tokens=num_tokens,
        num_tokens_left_out=num_tokens - num_rows * sequence_length - 1,
        num_documents=stream.num_documents,
        files=tuple(files),
        sources=stream.sources,
        kinds=stream.kinds,
    )
    folder.write_json(FACTS, facts.model_dump(mode="json"))
    return facts


class Shards:
    """Rows of a shards folder by number; nothing is read before it is asked for."""

    def __init__(self, facts: ShardsFacts, files: Sequence[NDArray], documents: NDArray):
        self.facts = facts
        self._files = files
        self._documents = documents

    @classmethod
    def open(cls, folder_path: Path) -> Self:
        """Raises ValueError for a file of another size than `shards.json` makes it."""
        facts = ShardsFacts.model_validate_json((folder_path / FACTS).read_bytes())
        documents = np.load(folder_path / f"{DOCUMENTS}.npy", mmap_mode="r", allow_pickle=False)
        files = []
        for number, name in enumerate(facts.files):
            rows = min(facts.rows_per_file, facts.num_rows - number * facts.rows_per_file)
            tokens = np.memmap(folder_path / name, dtype=facts.dtype, mode="r")
            if len(tokens) != rows * facts.sequence_length + 1:
                raise ValueError(
                    f"{folder_path / name} holds {len(tokens)} tokens where {FACTS} promises {rows} rows of "
                    f"{facts.sequence_length}, so {rows * facts.sequence_length + 1}; prepare the data again"
                )
            files.append(tokens)
        return cls(facts, files, documents)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Token ids [len(numbers), sequence_length + 1]."""
        length = self.facts.sequence_length
        out = np.empty((len(numbers), length + 1), dtype=np.int64)
        for place, number in enumerate(numbers):
            file, row = divmod(int(number), self.facts.rows_per_file)
            out[place] = self._files[file][row * length : row * length + length + 1]
        return out

    def documents_of(self, source: str | None) -> NDArray[np.int64]:
        """Numbers of the documents of a kind, None: of all. Raises ValueError for a kind that is not there."""
        if source is None:
            return np.arange(len(self._documents))
        if source not in self.facts.sources:
            raise ValueError(f"no text of kind {source!r}; there are: {', '.join(self.facts.sources)}")
        return np.flatnonzero(self._documents["source"] == self.facts.sources.index(source))

    def document(self, number: int) -> tuple[list[int], str]:
        """(token ids without end-of-text, kind) of a document; its end may be missing where it is the last one."""
        placed, length = self._documents[number], self.facts.sequence_length
        start = int(placed["start"]) + 1
        end = int(self._documents["start"][number + 1]) if number + 1 < len(self._documents) else self.facts.num_tokens
        end = min(end, self.facts.num_rows * length + 1)
        if start >= end:
            return [], self.facts.sources[placed["source"]]
        first = min(start // length, self.facts.num_rows - 1)
        rows = self.rows(np.arange(first, max(first, (end - 2) // length) + 1))
        stream = np.append(rows[:, :-1].ravel(), rows[-1, -1])
        return stream[start - first * length : end - first * length].tolist(), self.facts.sources[placed["source"]]

    def sources(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """[len(numbers), sequence_length]: the kind, a place in `facts.sources`, of every id that a row predicts."""
        length = self.facts.sequence_length
        position = numbers[:, None] * length + np.arange(1, length + 1)
        document = np.searchsorted(self._documents["start"], position, side="right") - 1
        return self._documents["source"][document].astype(np.int64)


def _batches(documents: Iterable[tuple[NDArray, int]], num_tokens: int) -> Iterator[list[tuple[NDArray, int]]]:
    batch: list[tuple[NDArray, int]] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document[0])
        if size >= num_tokens:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
