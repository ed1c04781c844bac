"""Exact and near duplicates: hashed texts, MinHash signatures, keys of their bands, and clusters of what shares one."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue] - compiled, without stubs
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from glam.config import DedupConfig
from glam.data.ngrams import ngram_hashes, words

AT_ONCE = 1 << 20
Matches = Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]
"""(group, number) of documents that share a key, in parts; a group is whole within its part."""


def text_hash(text: str) -> int:
    """Equal for texts that differ in case, punctuation and white space alone."""
    found = words(text)
    return xxhash.xxh64_intdigest(" ".join(found).encode() if found else text.encode())


def signatures(texts: Sequence[str], config: DedupConfig) -> NDArray[np.uint32]:
    """MinHash signatures over word n-grams, one row of `num_permutations` for each text.

    A text of fewer words than an n-gram is one n-gram as a whole.
    """
    if not texts:
        return np.empty((0, config.num_permutations), dtype=np.uint32)
    ngrams = [_ngram_set(text, config.word_ngram) for text in texts]
    ends = np.cumsum([0, *map(len, ngrams)], dtype=np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        np.concatenate(ngrams), ends, config.num_permutations, config.seed
    )
    return np.array(matrix.to_rows(), dtype=np.uint32)


def bands(config: DedupConfig) -> tuple[int, int]:
    """(bands, rows of a band) for which two texts of similarity `jaccard` meet about as often as not.

    Among all ways to cut the signature, the one whose threshold (1 / bands) ** (1 / rows) is nearest.
    """
    ways = [(config.num_permutations // rows, rows) for rows in range(1, config.num_permutations + 1)]
    return min(ways, key=lambda way: abs((1 / way[0]) ** (1 / way[1]) - config.jaccard))


def band_keys(signature_DP: NDArray[np.uint32], config: DedupConfig) -> NDArray[np.uint64]:
    """[D, bands]: a hash of each band. Two documents share one where their signatures agree in that whole band."""
    num_bands, rows = bands(config)
    key_DB = np.empty((len(signature_DP), num_bands), dtype=np.uint64)
    for band in range(num_bands):
        piece_DR = np.ascontiguousarray(signature_DP[:, band * rows : (band + 1) * rows])
        key_DB[:, band] = [xxhash.xxh64_intdigest(piece.tobytes(), band) for piece in piece_DR]
    return key_DB


def clusters(groups: NDArray[np.int64], members: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(cluster, member), each member once: those of one group are joined, and so is what is joined to them."""
    distinct, place = np.unique(members, return_inverse=True)
    chained = np.flatnonzero(groups[1:] == groups[:-1])
    graph = coo_array(
        (np.ones(len(chained), dtype=bool), (place[chained], place[chained + 1])), shape=(len(distinct), len(distinct))
    )
    _, labels = connected_components(graph, directed=False)
    return labels.astype(np.int64), distinct


def join_clusters(first_D: NDArray[np.int64], matches: Matches, first: Callable[[Sequence[int]], int]) -> int:
    """Number of clusters; `first_D` then says of each document the first one of its cluster, -1 where it has none.

    The same as `clusters` of all matches at once, in the memory of one of them; `first_D` may lie on disk. Which
    member of a cluster is its first one is for `first` to say.
    """
    first_D[:] = -1
    num_members = num_joined = 0
    for groups, numbers in matches:
        firsts = _firsts(first_D, numbers)
        joined = firsts != numbers
        first_D[numbers[joined]] = firsts[joined]
        for members in by_group(*clusters(groups, firsts)):
            if len(members) > 1:
                num_members += int((first_D[members] < 0).sum())
                num_joined += len(members) - 1
                first_D[members] = first(members)
    for start in range(0, len(first_D), AT_ONCE):
        member = np.flatnonzero(first_D[start : start + AT_ONCE] >= 0) + start
        first_D[member] = _firsts(first_D, member)
    return num_members - num_joined


def by_group(groups: NDArray[np.int64], numbers: NDArray[np.int64]) -> Iterator[list[int]]:
    """The members of each group."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    for members in np.split(numbers[order], starts[1:]):
        if len(members):
            yield members.tolist()


def _firsts(first_D: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where following `first_D` from each of them ends."""
    while True:
        further = first_D[numbers]
        further = np.where(further < 0, numbers, further)
        if np.array_equal(further, numbers):
            return numbers
        numbers = further


def _ngram_set(text: str, n: int) -> NDArray[np.uint64]:
    hashes = ngram_hashes(text, n)
    return np.unique(hashes) if len(hashes) else np.array([text_hash(text)], dtype=np.uint64)
