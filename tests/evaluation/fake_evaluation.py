"""A tokenizer of words, held-out text in memory, and models that know or do not know."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from glam.records import Document


class WordTokenizer:
    """Pieces are characters, or a space with the word that follows, so `encode` joins like a byte-level one."""

    end_of_text = 0

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._pieces: list[str] = [""]

    def encode(self, text: str, /) -> list[int]:
        pieces: list[str] = []
        start = 0
        for place in range(1, len(text) + 1):
            if place == len(text) or text[place].isspace():
                pieces.append(text[start:place])
                start = place
        for piece in pieces:
            if piece not in self._ids:
                self._ids[piece] = len(self._pieces)
                self._pieces.append(piece)
        return [self._ids[piece] for piece in pieces]

    def decode(self, ids: Sequence[int], /) -> str:
        return "".join(self._pieces[each] for each in ids)


@dataclass(frozen=True)
class FakeScores:
    nll: np.ndarray
    greedy: np.ndarray


@dataclass(frozen=True)
class FakeWindow:
    ids: list[int]
    document_id: str
    unit: str
    num_bytes: int


class FakeHeldOut:
    """Held-out text in memory; windows overlap by one id, so every id but the first is predicted once."""

    def __init__(self, documents: list[Document], tokenizer: WordTokenizer):
        self._documents, self._tokenizer = documents, tokenizer

    def documents(self) -> list[Document]:
        return self._documents

    def windows(self, sequence_length: int, /) -> list[FakeWindow]:
        found = []
        for document in self._documents:
            ids = [self._tokenizer.end_of_text, *self._tokenizer.encode(document.text)]
            for start in range(0, len(ids) - 1, sequence_length):
                piece = ids[start : start + sequence_length + 1]
                size = len(self._tokenizer.decode(piece[1:]).encode())
                found.append(FakeWindow(piece, document.id, document.unit, size))
        return found


def pseudo_random(*parts: object) -> float:
    """Between 0 and 1, fixed for its arguments."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big") / 2**48


def guesser(rows: Sequence[Sequence[int]]) -> list[FakeScores]:
    """A model that knows nothing: pseudo-random likelihoods that depend on the row."""
    return [
        FakeScores(
            np.array([0.5 + 5 * pseudo_random(tuple(row[: place + 1])) for place in range(1, len(row))]),
            np.array([pseudo_random("greedy", tuple(row[: place + 1])) < 0.1 for place in range(1, len(row))]),
        )
        for row in rows
    ]


def knower(*texts: str, tokenizer: WordTokenizer) -> Callable[[Sequence[Sequence[int]]], list[FakeScores]]:
    """A model for which a token is sure iff one of `texts` holds its row so far."""

    def score_rows(rows: Sequence[Sequence[int]]) -> list[FakeScores]:
        scores = []
        for row in rows:
            known = np.array(
                [any(tokenizer.decode(row[1 : place + 1]) in text for text in texts) for place in range(1, len(row))]
            )
            scores.append(FakeScores(np.where(known, 0.1, 8.0), known))
        return scores

    return score_rows
