"""The kinds of task: what one asks of a model, and how an item becomes a question.

A task is a short file of facts and one prompt function (see `tasks/`). Rows come from held-out documents
or, later, from a benchmark; `items` turns them into questions, the same ones for a seed on every machine.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from glam.records import Document

Row = Mapping[str, Any]
"""One example as its source has it; `id` and `cluster` are always there."""
RowSource = Callable[[Sequence[Document], int], Iterable[Row]]
"""(held-out documents, seed) -> rows, in the order of `draw_key`, so that the first n are a fair draw."""
Normalise = Literal["tokens", "none"]


@dataclass(frozen=True)
class Item:
    """One question, without its demonstrations."""

    id: str
    cluster: str
    """The held-out unit the item came from: what resampling keeps together."""
    prompt: str
    """Never ends in white space; that belongs to the choices."""
    choices: tuple[str, ...]
    """Possible continuations of the prompt, white space in front included; a completion has one, the right one."""
    answer: int
    chance: float
    """Probability of a right answer without a model."""

    def __post_init__(self) -> None:
        assert self.prompt == self.prompt.rstrip(), f"prompt of {self.id} ends in white space: {self.prompt[-20:]!r}"
        assert 0 <= self.answer < len(self.choices), f"answer {self.answer} of {self.id} is none of its choices"

    @property
    def solved(self) -> str:
        """The item as a demonstration shows it."""
        return self.prompt + self.choices[self.answer]


@dataclass(frozen=True, kw_only=True)
class MultipleChoice:
    """Right iff the true choice has the highest log-likelihood of all; a tie is wrong."""

    name: str
    rows: RowSource
    prompt: Callable[[Row], str]
    choices: Callable[[Row], Sequence[str]]
    answer: Callable[[Row], int]
    normalise: Normalise = "tokens"
    """GLaM divides an option's log-likelihood by its token length (arXiv:2112.06905, section 5)."""
    metric: ClassVar[str] = "accuracy"
    takes_shots: ClassVar[bool] = True

    def items(self, documents: Sequence[Document], seed: int) -> Iterator[Item]:
        """The task's items in drawing order."""
        for row in self.rows(documents, seed):
            choices = tuple(self.choices(row))
            yield Item(row["id"], row["cluster"], self.prompt(row), choices, self.answer(row), 1 / len(choices))


@dataclass(frozen=True, kw_only=True)
class Completion:
    """Right iff greedy decoding writes the target, token by token."""

    name: str
    rows: RowSource
    prompt: Callable[[Row], str]
    target: Callable[[Row], str]
    chance: Callable[[Row], float]
    metric: ClassVar[str] = "accuracy"
    takes_shots: ClassVar[bool] = True

    def items(self, documents: Sequence[Document], seed: int) -> Iterator[Item]:
        """The task's items in drawing order."""
        for row in self.rows(documents, seed):
            yield Item(row["id"], row["cluster"], self.prompt(row), (self.target(row),), 0, self.chance(row))


@dataclass(frozen=True, kw_only=True)
class HeldoutLikelihood:
    """Cross-entropy of whole documents, in nats per token."""

    name: str
    metric: ClassVar[str] = "cross_entropy"
    takes_shots: ClassVar[bool] = False


Task = MultipleChoice | Completion | HeldoutLikelihood


def draw_key(seed: int, *parts: str) -> bytes:
    """A pseudo-random number for `parts`; sorting by it is a draw that no library version changes."""
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).digest()


def drawn(documents: Iterable[Document], seed: int) -> list[Document]:
    """The documents in the order in which they are drawn."""
    return sorted(documents, key=lambda document: draw_key(seed, "document", document.id))
