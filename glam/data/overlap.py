"""How much of the held-out text the training text repeats, in word n-grams."""

from collections.abc import Iterable

import numpy as np

from glam.data.ngrams import ngram_hashes
from glam.records import Document, Record


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


MOSTLY = 0.8


def overlap(train: Iterable[Document], heldout: Iterable[Document], *, ngram: int) -> Overlap:
    """Counts the n-grams of held-out documents that occur in training documents."""
    known = np.unique(np.concatenate([np.empty(0, np.uint64), *(ngram_hashes(each.text, ngram) for each in train)]))
    shares, num_ngrams, num_known = [], 0, 0
    for document in heldout:
        hashes = ngram_hashes(document.text, ngram)
        if len(hashes):
            hits = int(_contains(known, hashes).sum())
            shares.append(hits / len(hashes))
            num_ngrams += len(hashes)
            num_known += hits
    share_D = np.array(shares)
    return Overlap(
        ngram=ngram,
        num_documents=len(shares),
        num_ngrams=num_ngrams,
        document_fraction=float((share_D > 0).mean()) if shares else None,
        mostly_overlapping_fraction=float((share_D >= MOSTLY).mean()) if shares else None,
        ngram_fraction=num_known / num_ngrams if num_ngrams else None,
    )


def _contains(sorted_values: np.ndarray, values: np.ndarray) -> np.ndarray:
    if not len(sorted_values):
        return np.zeros(len(values), dtype=bool)
    place = np.minimum(np.searchsorted(sorted_values, values), len(sorted_values) - 1)
    return sorted_values[place] == values
