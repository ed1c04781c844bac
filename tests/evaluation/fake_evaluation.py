"""A tokenizer of words, held-out text in memory, and models that know or do not know."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from glam.evaluation.scorer import Answers
from glam.model.continuations import Continuations, ContinuationScore
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


class FakeModel(ABC):
    """Answers from what it thinks of a token after those before it; writes what `answers` says, or nothing."""

    def __init__(self, answers: Callable[[Sequence[int]], str] = lambda _: ""):
        self._answers = answers

    @abstractmethod
    def nll(self, row: tuple[int, ...]) -> float:
        """Of the last token of a row."""

    @abstractmethod
    def greedy(self, row: tuple[int, ...]) -> bool:
        """Whether the last token of a row is the likeliest."""

    def score_continuations(self, requests: Sequence[tuple[Sequence[int], Sequence[int]]], /) -> Continuations:
        found = []
        for context, continuation in requests:
            row = (*context, *continuation)
            beginnings = [row[:end] for end in range(len(context) + 1, len(row) + 1)]
            log_likelihood = -sum(map(self.nll, beginnings))
            found.append(ContinuationScore(log_likelihood, all(map(self.greedy, beginnings))))
        return Continuations(found, np.full((1, 2), len(requests)), num_computed=len(requests))

    def write(self, prompts: Sequence[Sequence[int]], /, *, stop: tuple[str, ...], max_new_tokens: int) -> Answers:  # noqa: ARG002
        return Answers([self._answers(prompt) for prompt in prompts], np.full((1, 2), len(prompts)))


class Guesser(FakeModel):
    """Knows nothing: pseudo-random likelihoods that depend on the row."""

    def nll(self, row: tuple[int, ...]) -> float:
        return 0.5 + 5 * pseudo_random(row)

    def greedy(self, row: tuple[int, ...]) -> bool:
        return pseudo_random("greedy", row) < 0.1


class Knower(FakeModel):
    """Is sure of a token iff one of `texts` holds its row so far."""

    def __init__(self, *texts: str, tokenizer: WordTokenizer):
        super().__init__()
        self._texts, self._tokenizer = texts, tokenizer

    def _knows(self, row: tuple[int, ...]) -> bool:
        return any(self._tokenizer.decode(row[1:]) in text for text in self._texts)

    def nll(self, row: tuple[int, ...]) -> float:
        return 0.1 if self._knows(row) else 8.0

    def greedy(self, row: tuple[int, ...]) -> bool:
        return self._knows(row)


class Constant(FakeModel):
    """Thinks the same of every token."""

    def __init__(self, nll: float):
        super().__init__()
        self._nll = nll

    def nll(self, row: tuple[int, ...]) -> float:  # noqa: ARG002
        return self._nll

    def greedy(self, row: tuple[int, ...]) -> bool:  # noqa: ARG002
        return False
