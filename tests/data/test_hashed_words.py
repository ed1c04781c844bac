"""Features are those of a plain loop over words, whatever stands beside a text."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.data.hashed_words import BASE, PAIR, SPREAD, hashed_words

LOG2 = 18
MODULUS = 1 << 64


def plain_hash(word: bytes) -> int:
    return SPREAD * sum(byte * pow(BASE, place, MODULUS) for place, byte in enumerate(word, 1)) % MODULUS


def plain_features(text: str) -> list[tuple[int, int]]:
    hashes = [plain_hash(word) for word in re.findall(rb"[0-9a-z_\x80-\xff]+", text.encode().lower())]
    pairs = [(one * int(PAIR) + other) % MODULUS for one, other in zip(hashes, [*hashes[1:], 0], strict=False)]
    return [(one >> (64 - LOG2), pair >> (64 - LOG2)) for one, pair in zip(hashes, pairs, strict=True)]


@given(st.lists(st.text()))
def test_features_are_those_of_a_loop_over_words(texts: list[str]) -> None:
    found = hashed_words(texts, LOG2)
    features = list(zip(found.word_W.tolist(), found.pair_W.tolist(), strict=True))
    assert [features[first:last] for first, last in zip(found.first_D[:-1], found.first_D[1:], strict=True)] == [
        plain_features(text) for text in texts
    ]


@pytest.mark.parametrize("alphabet", ["abcdefghijklmnopqrstuvwxyz", "0123456789", "éàüöç"])
def test_short_words_are_spread_over_all_features(alphabet: str) -> None:
    words = [one + two + three for one in alphabet for two in alphabet for three in alphabet]
    found = hashed_words(words, LOG2)
    for features in (found.word_W, found.pair_W):
        chance = len(words) - len(words) ** 2 / 2**LOG2 / 2  # different ones among so many random numbers
        assert len(np.unique(features)) > 0.98 * chance
