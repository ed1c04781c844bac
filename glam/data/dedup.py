"""Exact and near duplicates: hashed texts, MinHash signatures, bands, and clusters of what shares one."""

from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray
from rensa import RMinHash  # pyright: ignore[reportAttributeAccessIssue] - compiled, without stubs
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from glam.config import DedupConfig
from glam.data.ngrams import ngram_hashes, words


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


def exact_clusters(texts: Sequence[str]) -> NDArray[np.int64]:
    """For each text the first index of its like."""
    hashes = np.array([text_hash(text) for text in texts], dtype=np.uint64)
    return _first_of_its_like(hashes)


def near_clusters(signature_DP: NDArray[np.uint32], config: DedupConfig) -> NDArray[np.int64]:
    """For each document the smallest index of its cluster.

    Documents that agree in a whole band are joined, and so is what is joined to them. With documents in
    order of their ids the survivor of a cluster is thus the one with the smallest id.
    """
    num_documents = len(signature_DP)
    num_bands, rows = bands(config)
    joined = [np.arange(num_documents)]
    for band in range(num_bands):
        piece = np.ascontiguousarray(signature_DP[:, band * rows : (band + 1) * rows])
        joined.append(_first_of_its_like(piece.view(f"V{piece.itemsize * rows}").ravel()))
    partners = np.concatenate(joined)
    selves = np.tile(np.arange(num_documents), len(joined))
    graph = coo_array((np.ones(len(selves), dtype=bool), (selves, partners)), shape=(num_documents, num_documents))
    _, labels = connected_components(graph, directed=False)
    return _first_of_its_like(labels)


def _ngram_set(text: str, n: int) -> NDArray[np.uint64]:
    hashes = ngram_hashes(text, n)
    return np.unique(hashes) if len(hashes) else np.array([text_hash(text)], dtype=np.uint64)


def _first_of_its_like(values: NDArray) -> NDArray[np.int64]:
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    return first[inverse]
