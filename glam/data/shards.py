"""Packed token ids on disk: rows of `sequence_length + 1`, read by memory map.

Documents stand one after another, each preceded by end-of-text. Row k is tokens [k*S, k*S + S + 1) of
that stream: the last token of a row is the first of the next, so every token but the first is
predicted exactly once. Files hold whole rows and so repeat one token at their seam.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from glam.data.tokenizer import END_OF_TEXT_ID
from glam.records import Record
from glam.store import Folder

FACTS = "shards.json"
TOKENS_PER_FILE = 1 << 25


def token_dtype(vocab_size: int) -> np.dtype:
    """Little-endian uint16, or uint32 where the vocabulary asks for it."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


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
    end_of_text: int = END_OF_TEXT_ID


def write_shards(
    documents: Iterable[Sequence[int]],
    folder: Folder,
    *,
    sequence_length: int,
    vocab_size: int,
    tokens_per_file: int = TOKENS_PER_FILE,
) -> ShardsFacts:
    """Packs documents (token ids without end-of-text) in the order given.

    Raises ValueError where they do not fill one row.
    """
    rows_per_file = max(1, tokens_per_file // sequence_length)
    file_tokens = rows_per_file * sequence_length
    dtype = token_dtype(vocab_size)
    files: list[str] = []
    pending = np.empty(0, dtype=dtype)
    num_documents = num_tokens = 0

    def write(tokens: NDArray) -> None:
        files.append(f"tokens-{len(files):05d}.bin")
        with folder.create(files[-1]) as out:
            tokens.tofile(out)

    for batch in _batches(documents, file_tokens):
        num_documents += len(batch)
        ids = np.concatenate([pending, *(np.array([END_OF_TEXT_ID, *document], dtype=dtype) for document in batch)])
        num_tokens += len(ids) - len(pending)
        pending = ids
        while len(pending) > file_tokens:
            write(pending[: file_tokens + 1])
            pending = pending[file_tokens:]
    num_rows_left = max(0, (len(pending) - 1) // sequence_length)
    if num_rows_left:
        write(pending[: num_rows_left * sequence_length + 1])
    num_rows = max(0, (num_tokens - 1) // sequence_length)
    if not num_rows:
        raise ValueError(
            f"{num_documents} training documents hold {num_tokens} tokens, fewer than the {sequence_length + 1} of one "
            "row; give more text or a smaller data.sequence_length"
        )
    facts = ShardsFacts(
        sequence_length=sequence_length,
        vocab_size=vocab_size,
        dtype=dtype.str,
        rows_per_file=rows_per_file,
        num_rows=num_rows,
        num_tokens=num_tokens,
        num_tokens_left_out=num_tokens - num_rows * sequence_length - 1,
        num_documents=num_documents,
        files=tuple(files),
    )
    folder.write_json(FACTS, facts.model_dump(mode="json"))
    return facts


class Shards:
    """Rows of a shards folder by number; nothing is read before it is asked for."""

    def __init__(self, facts: ShardsFacts, files: Sequence[NDArray]):
        self.facts = facts
        self._files = files

    @classmethod
    def open(cls, folder_path: Path) -> Self:
        """Raises ValueError for a file of another size than `shards.json` makes it."""
        facts = ShardsFacts.model_validate_json((folder_path / FACTS).read_bytes())
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
        return cls(facts, files)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Token ids [len(numbers), sequence_length + 1]."""
        length = self.facts.sequence_length
        out = np.empty((len(numbers), length + 1), dtype=np.int64)
        for place, number in enumerate(numbers):
            file, row = divmod(int(number), self.facts.rows_per_file)
            out[place] = self._files[file][row * length : row * length + length + 1]
        return out


def _batches(documents: Iterable[Sequence[int]], num_tokens: int) -> Iterator[list[Sequence[int]]]:
    batch: list[Sequence[int]] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document) + 1
        if size >= num_tokens:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
