"""Hashed word n-grams: what near-duplicate detection and overlap counting both compare texts by."""

import re
from functools import lru_cache

import numpy as np
import xxhash
from numpy.typing import NDArray

WORD = re.compile(r"\w+")
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def words(text: str) -> list[str]:
    """Words in lower case, without punctuation."""
    return WORD.findall(text.lower())


def ngram_hashes(text: str, n: int) -> NDArray[np.uint64]:
    """A hash of every run of `n` words in order, repeated ones repeatedly; empty for fewer than `n` words."""
    hash_W = np.fromiter(map(_word_hash, words(text)), dtype=np.uint64)
    num_ngrams = len(hash_W) - n + 1
    if num_ngrams <= 0:
        return np.empty(0, dtype=np.uint64)
    hash_N = hash_W[:num_ngrams].copy()
    for offset in range(1, n):
        hash_N = hash_N * MULTIPLIER + hash_W[offset : offset + num_ngrams]
    return hash_N ^ (hash_N >> np.uint64(31))


@lru_cache(maxsize=1 << 20)
def _word_hash(word: str) -> int:
    return xxhash.xxh64_intdigest(word.encode())
