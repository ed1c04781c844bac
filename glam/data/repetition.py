"""Repeated runs of words (n-grams) by 64-bit hashes: the counts of Gopher's table A1, and cheap bounds on them.

A run has the characters of its words. What is "within repeated n-grams" is counted as published filters do: from the
start on, a run that stood there before counts and is stepped over as a whole, so no character counts twice.
"""

import numpy as np
from numpy.typing import NDArray


# W words of a text, N = W - n + 1 runs of n words
def ends(characters_W: NDArray[np.unsignedinteger]) -> NDArray[np.uint64]:
    """Characters before the first word and up to the end of each: one more number than words."""
    end_W1 = np.zeros(len(characters_W) + 1, dtype=np.uint64)
    np.cumsum(characters_W, out=end_W1[1:])
    return end_W1


def run_characters(end_W1: NDArray[np.uint64], n: int) -> NDArray[np.uint64]:
    """Characters of every run of `n` words."""
    return end_W1[n:] - end_W1[:-n]


def top_characters(hash_N: NDArray[np.uint64], characters_N: NDArray[np.unsignedinteger]) -> int:
    """Characters of all occurrences of the most frequent run; of several the one that comes first in the text."""
    if not len(hash_N):
        return 0
    _, first, counts = np.unique(hash_N, return_index=True, return_counts=True)
    return int(counts.max() * characters_N[first[counts == counts.max()].min()])


def most_occurrences(hash_N: NDArray[np.uint64]) -> int:
    """Of the most frequent run: no longer run occurs more often."""
    sorted_N = np.sort(hash_N)
    last_N = np.flatnonzero(np.append(sorted_N[1:] != sorted_N[:-1], True))
    return int(np.diff(last_N, prepend=-1).max(initial=0))


def repeated_characters(hash_N: NDArray[np.uint64], characters_N: NDArray[np.unsignedinteger], n: int) -> int:
    """Characters within runs that stood there before, in a walk over the text."""
    hashes, characters = hash_N.tolist(), characters_N.tolist()
    seen: set[int] = set()
    place = repeated = 0
    while place < len(hashes):
        if hashes[place] in seen:
            repeated += characters[place]
            place += n
        else:
            seen.add(hashes[place])
            place += 1
    return repeated


def covered_characters(hash_N: NDArray[np.uint64], characters_W: NDArray[np.unsignedinteger], n: int) -> int:
    """Characters that any run covers that stood there before: at least `repeated_characters`, of this n or a greater.

    A greater run that is repeated consists of repeated runs of `n` words.
    """
    order_N = np.argsort(hash_N, kind="stable")
    again = hash_N[order_N[1:]] == hash_N[order_N[:-1]]
    starts = order_N[1:][again]
    depth_W = np.zeros(len(characters_W) + 1, dtype=np.int64)
    depth_W[starts] += 1
    depth_W[starts + n] -= 1
    return int(characters_W[np.cumsum(depth_W[:-1]) > 0].sum())
