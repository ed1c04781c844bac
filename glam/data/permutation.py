"""A keyed permutation of 0..n-1 that is computed, not stored: a Feistel network with cycle walking."""

import numpy as np
from numpy.typing import NDArray

NUM_ROUNDS = 6


def permute(index: NDArray[np.int64], size: int, key: int) -> NDArray[np.int64]:
    """Images of `index` (each in 0..size-1) under the permutation of 0..size-1 that `key` names; O(1) each."""
    half_bits = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    value = _feistel(index.astype(np.uint64), half_bits, key)
    # The network permutes up to 4 times as many numbers; walk on along the cycle until back in range.
    while (outside := value >= size).any():
        value[outside] = _feistel(value[outside], half_bits, key)
    return value.astype(np.int64)


def _feistel(value: NDArray[np.uint64], half_bits: np.uint64, key: int) -> NDArray[np.uint64]:
    mask = (np.uint64(1) << half_bits) - np.uint64(1)
    left, right = value >> half_bits, value & mask
    for number in range(NUM_ROUNDS):
        round_key = np.uint64((key + number * 0x9E3779B97F4A7C15) % 2**64)
        left, right = right, left ^ (_mix(right ^ round_key) & mask)
    return (left << half_bits) | right


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
