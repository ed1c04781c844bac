"""What training text shares with text that models are judged by, in word n-grams: held-out text and benchmarks.

The n-grams of what is judged are few and stay in memory; training text, which may not fit, passes by shard by
shard and says which of them it holds.
"""

# K known n-grams, sorted
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from glam.data.ngrams import ngram_hashes
from glam.records import Record

MOSTLY = 0.8


class Overlap(Record):
    """What deduplication and the split by unit left of leakage. None where there was nothing to count."""

    ngram: int
    """Words of an n-gram."""
    num_documents: int
    """Held-out documents of at least that many words."""
    num_ngrams: int
    document_fraction: float | None
    """Share of those documents with at least one n-gram that training has."""
    mostly_overlapping_fraction: float | None
    """Share of those documents of whose n-grams training has 80 % or more."""
    ngram_fraction: float | None
    """Share of held-out n-grams, counted with repetition, that training has."""


class BenchmarkOverlap(Record):
    """The same for the examples of a benchmark (GPT-3, arXiv:2005.14165, appendix C: touched by one n-gram)."""

    task: str
    num_examples: int
    num_short: int
    """Examples of fewer words than an n-gram, of which nothing can be said."""
    num_touched: int
    touched_fraction: float | None
    """Of the examples that are not short."""


def known_ngrams(texts: Iterable[str], ngram: int) -> NDArray[np.uint64]:
    """[K]: hashes of the n-grams of these texts, each once."""
    return np.unique(np.concatenate([np.empty(0, np.uint64), *(ngram_hashes(text, ngram) for text in texts)]))


def found_ngrams(known_K: NDArray[np.uint64], texts: Iterable[str], ngram: int) -> NDArray[np.bool_]:
    """[K]: which of the known n-grams these texts hold."""
    found_K = np.zeros(len(known_K), dtype=bool)
    for text in texts:
        place, hit = _places(known_K, ngram_hashes(text, ngram))
        found_K[place[hit]] = True
    return found_K


def touches(known_K: NDArray[np.uint64], text: str, ngram: int) -> bool:
    """Whether the text holds one of them."""
    return bool(_places(known_K, ngram_hashes(text, ngram))[1].any())


def heldout_overlap(texts: Iterable[str], trained_K: NDArray[np.uint64], ngram: int) -> Overlap:
    """Of held-out texts with the n-grams that training text was found to hold."""
    shares, sizes = [], []
    for hits in _hits(texts, trained_K, ngram):
        if len(hits):
            shares.append(hits.mean())
            sizes.append(len(hits))
    share_D, size_D = np.array(shares), np.array(sizes)
    return Overlap(
        ngram=ngram,
        num_documents=len(shares),
        num_ngrams=int(size_D.sum()),
        document_fraction=float((share_D > 0).mean()) if shares else None,
        mostly_overlapping_fraction=float((share_D >= MOSTLY).mean()) if shares else None,
        ngram_fraction=float(round((share_D * size_D).sum()) / size_D.sum()) if shares else None,
    )


def benchmark_overlap(
    task: str, examples: Iterable[str], trained_K: NDArray[np.uint64], ngram: int
) -> BenchmarkOverlap:
    """Of a task's examples with the n-grams that training text was found to hold."""
    touched = [None if not len(hits) else bool(hits.any()) for hits in _hits(examples, trained_K, ngram)]
    long_enough = [each for each in touched if each is not None]
    return BenchmarkOverlap(
        task=task,
        num_examples=len(touched),
        num_short=len(touched) - len(long_enough),
        num_touched=sum(long_enough),
        touched_fraction=sum(long_enough) / len(long_enough) if long_enough else None,
    )


def _hits(texts: Iterable[str], sorted_hashes: NDArray[np.uint64], ngram: int) -> Iterator[NDArray[np.bool_]]:
    for text in texts:
        yield _places(sorted_hashes, ngram_hashes(text, ngram))[1]


def _places(sorted_hashes: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> tuple[NDArray, NDArray[np.bool_]]:
    """(place among the sorted ones, whether it is there) of each hash."""
    if not len(sorted_hashes):
        return np.zeros(len(hashes), dtype=np.int64), np.zeros(len(hashes), dtype=bool)
    place = np.minimum(np.searchsorted(sorted_hashes, hashes), len(sorted_hashes) - 1)
    return place, sorted_hashes[place] == hashes
