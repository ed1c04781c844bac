"""Hashed words and word pairs of texts: the features of the quality classifier.

A word is a run of letters, digits and underscores; capitals of ASCII count as small, and what is beyond ASCII as a
letter. Its hash is a polynomial of its bytes modulo 2**64, so the hashes of all words of many texts come from one
running sum over their bytes: no loop over words, no dictionary.
"""

# B bytes of some texts, one after the other; W words of them all; D texts
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BASE = 0x9E3779B97F4A7C15
"""Of the polynomial. Odd, as the others are, so that it has an inverse modulo 2**64."""
SPREAD = 0xD6E8FEB86659FD93
"""Brings what sets short words apart into the upper bits, which number the features."""
PAIR = np.uint64(0xC2B2AE3D27D4EB4F)
GAP = 0
"""What every byte that belongs to no word is read as."""


class HashedWords(NamedTuple):
    """Two features of each word, numbers below 2**log2: of it alone, and of it with the next one or the text's end."""

    word_W: NDArray[np.intp]
    pair_W: NDArray[np.intp]
    first_D: NDArray[np.intp]
    """Where each text's words begin; one more entry for the end."""


def hashed_words(texts: Sequence[str], log2: int) -> HashedWords:
    """Features of each text, in which the others have no part.

    Needs some 30 times the memory of the texts, and keeps tables of 32 times the longest that it was ever given.
    """
    encoded = [text.encode() for text in texts]
    joined = b" ".join([b"", *encoded, b""]).translate(_reading())
    byte_B = np.frombuffer(joined, np.uint8)
    in_word_B = byte_B != GAP
    edge_2W = np.flatnonzero(in_word_B[1:] != in_word_B[:-1])
    hash_W = _hashes(byte_B, edge_2W[::2], edge_2W[1::2])
    first_D = np.searchsorted(edge_2W[::2], np.cumsum([0, *(len(each) + 1 for each in encoded)]))
    next_W = np.append(hash_W[1:], np.uint64(0))
    next_W[first_D[1:][np.diff(first_D) > 0] - 1] = 0
    shift = np.uint64(64 - log2)
    pair_W = hash_W * PAIR + next_W
    return HashedWords((hash_W >> shift).astype(np.intp), (pair_W >> shift).astype(np.intp), first_D)


def _hashes(byte_B: NDArray[np.uint8], before_W: NDArray[np.intp], last_W: NDArray[np.intp]) -> NDArray[np.uint64]:
    """SPREAD * sum of byte * BASE**place of each word, places counted from `before_W`, the byte before it.

    The sum is a difference of running sums with places counted from the very first byte, brought back by a power.
    """
    power_B, inverse_B = _powers(1 << len(byte_B).bit_length())
    sum_B = np.cumsum(byte_B * power_B[: len(byte_B)])
    return (sum_B[last_W] - sum_B[before_W]) * inverse_B[before_W]


@cache
def _powers(count: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """BASE**place and SPREAD * BASE**-place modulo 2**64."""
    factor_2B = np.empty((2, count), np.uint64)
    factor_2B[:, 0] = 1, SPREAD
    factor_2B[:, 1:] = [[BASE], [pow(BASE, -1, 1 << 64)]]
    power_B, inverse_B = np.cumprod(factor_2B, axis=1)
    return power_B, inverse_B


@cache
def _reading() -> bytes:
    """What each byte is read as."""
    ascii_words = "".join(
        character.lower() if character.isalnum() or character == "_" else chr(GAP) for character in map(chr, range(128))
    )
    return ascii_words.encode() + bytes(range(128, 256))
