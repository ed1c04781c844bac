"""Invented documents."""

import pytest
from fake_evaluation import FakeHeldOut, WordTokenizer, pseudo_random

from glam.records import Document

NOUNS = ("matrix", "vector", "buffer", "string", "socket", "thread", "handle", "parser")
VERBS = ("copies", "sorts", "reads", "joins", "splits", "counts", "hashes", "merges")


@pytest.fixture
def tokenizer() -> WordTokenizer:
    return WordTokenizer()


@pytest.fixture
def documents() -> list[Document]:
    """48 documents in 8 packages; each names a function, has a long paragraph and a passage that repeats a word."""
    found = []
    for number in range(48):
        noun, verb = NOUNS[number % 8], VERBS[number // 8 % 8]
        other = NOUNS[(number + 3) % 8]
        filler = " ".join(
            f"{NOUNS[int(8 * pseudo_random(number, k))]} {VERBS[int(8 * pseudo_random(k, number))]}" for k in range(18)
        )
        found.append(
            Document(
                id=f"d{number}",
                source="docstring",
                unit=f"package{number % 8}",
                name=f"package{number % 8}.module.{verb}_{noun}_{number}",
                text=(
                    f"Function of case {verb} that takes one {noun} and one {other} each time. "
                    f"It looks at both and then it returns the {noun}.\n\n"
                    f"    >>> code({number})\n\nThis {noun} {filler} and {number % 10} more."
                ),
            )
        )
    return found


@pytest.fixture
def heldout(documents: list[Document], tokenizer: WordTokenizer) -> FakeHeldOut:
    return FakeHeldOut(documents, tokenizer)
