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
    hash_N = run_hashes(np.fromiter(map(_word_hash, words(text)), dtype=np.uint64), n)
    return hash_N ^ (hash_N >> np.uint64(31))


def run_hashes(hash_W: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """The same of words that are hashed already, without the last mixing."""
    num_runs = max(0, len(hash_W) - n + 1)
    hash_N = hash_W[:num_runs].copy()
    for place in range(1, n):
        hash_N = hash_N * MULTIPLIER + hash_W[place : place + num_runs]
    return hash_N


@lru_cache(maxsize=1 << 20)
def _word_hash(word: str) -> int:
    return xxhash.xxh64_intdigest(word.encode())
