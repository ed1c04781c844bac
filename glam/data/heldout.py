"""The held-out folder: documents of the units that training never sees, as text and as token ids."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glam.data.draws import draw
from glam.data.shards import token_dtype
from glam.data.tokenizer import END_OF_TEXT_ID, Tokenizer
from glam.records import Document, Record
from glam.store import Folder

DOCUMENTS = "documents.jsonl"
SPANS = "spans.jsonl"
TOKENS = "tokens.bin"
FACTS = "heldout.json"
ENCODED_AT_ONCE = 64


class Span(Record):
    """Where a document's tokens lie in `tokens.bin`, its end-of-text included."""

    document_id: str
    unit: str
    source: str
    start: int
    end: int
    num_bytes: int
    """Of its text in UTF-8."""


class HeldOutFacts(Record):
    """`heldout.json`."""

    num_documents: int
    num_units: int
    num_bytes: int
    num_tokens: int
    vocab_size: int
    dtype: str


class Window(NamedTuple):
    """A piece of a document that fits a model: all ids but the first are to be predicted."""

    ids: list[int]
    document_id: str
    unit: str
    source: str
    num_bytes: int
    """Bytes of the document, on its first window alone: windows of a document sum to its bytes."""


def write_heldout(documents: Sequence[Document], tokenizer: Tokenizer, folder: Folder) -> HeldOutFacts:
    """Writes text, token ids and spans of these documents."""
    dtype = token_dtype(tokenizer.vocab_size)
    spans: list[Span] = []
    start = 0
    with folder.create(TOKENS) as out:
        for first in range(0, len(documents), ENCODED_AT_ONCE):
            batch = documents[first : first + ENCODED_AT_ONCE]
            for document, ids in zip(batch, tokenizer.encode_batch([each.text for each in batch]), strict=True):
                np.array([END_OF_TEXT_ID, *ids], dtype=dtype).tofile(out)
                span = Span(
                    document_id=document.id,
                    unit=document.unit,
                    source=document.source,
                    start=start,
                    end=start + len(ids) + 1,
                    num_bytes=len(document.text.encode()),
                )
                spans.append(span)
                start = span.end
    folder.write_text(DOCUMENTS, "".join(document.model_dump_json() + "\n" for document in documents))
    folder.write_text(SPANS, "".join(span.model_dump_json() + "\n" for span in spans))
    facts = HeldOutFacts(
        num_documents=len(spans),
        num_units=len({span.unit for span in spans}),
        num_bytes=sum(span.num_bytes for span in spans),
        num_tokens=start,
        vocab_size=tokenizer.vocab_size,
        dtype=dtype.str,
    )
    folder.write_json(FACTS, facts.model_dump(mode="json"))
    return facts


class HeldOut:
    """Reads a held-out folder."""

    def __init__(self, folder_path: Path):
        self._path = folder_path
        self.facts = HeldOutFacts.model_validate_json((folder_path / FACTS).read_bytes())

    def documents(self) -> list[Document]:
        """All documents in order of their ids."""
        lines = (self._path / DOCUMENTS).read_text("utf-8").split("\n")
        return [Document.model_validate_json(line) for line in lines if line]

    def spans(self) -> list[Span]:
        """Token spans in the order of the documents."""
        lines = (self._path / SPANS).read_text("utf-8").split("\n")
        return [Span.model_validate_json(line) for line in lines if line]

    def windows(self, sequence_length: int) -> list[Window]:
        """Every document as windows of at most `sequence_length + 1` ids that overlap by one.

        So every token of a text is predicted exactly once, its first from end-of-text.
        """
        tokens = np.fromfile(self._path / TOKENS, dtype=self.facts.dtype)
        windows = []
        for span in self.spans():
            for start in range(span.start, span.end - 1, sequence_length):
                ids = tokens[start : min(start + sequence_length + 1, span.end)].tolist()
                num_bytes = span.num_bytes if start == span.start else 0
                windows.append(Window(ids, span.document_id, span.unit, span.source, num_bytes))
        return windows

    def sample(self, sequence_length: int, num_windows: int) -> list[Window]:
        """The first windows of a fixed pseudo-random order: the same ones for every model and machine."""
        windows = self.windows(sequence_length)
        numbered = [(draw(f"{window.document_id} {place}", 0), window) for place, window in enumerate(windows)]
        return [window for _, window in sorted(numbered, key=lambda each: each[0])[:num_windows]]
