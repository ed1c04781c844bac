"""The order of an epoch: a fixed shuffle of documents by their ids, in which a kind stands as often as its weight asks.

Indexes of documents lie on disk, each sorted by draw. An order is made from one range of draws after the other, so
this takes the memory of a range, however many documents there are.
"""

# N documents of a range, in no particular shard
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glam.data.shards import KindShare

ENCODED = np.dtype([("draw", "<u8"), ("start", "<i8"), ("num_tokens", "<i8"), ("source", "<i8")])
"""A document among its shard's tokens, end-of-text included; `source` is a place in the shard's names."""
LOCATED = np.dtype([*ENCODED.descr, ("shard", "<i8")])
"""The same among those of all shards; `source` is a place in the names of all."""
DRAWS = 1 << 64
REPEAT = 0x9E3779B97F4A7C15
"""Added to a draw for each repeat, so that one is not beside the other."""
AT_ONCE = 1 << 18
"""Documents of a range, about."""


class EncodedIndex:
    """Every document of the training side, found by its draw."""

    def __init__(self, parts: Sequence[NDArray], names: Sequence[Sequence[str]]):
        """Of each shard the index, of ENCODED and sorted by draw, and the names that its sources are places in."""
        self.names = tuple(sorted({name for own in names for name in own}))
        code_of = {name: code for code, name in enumerate(self.names)}
        self._parts = parts
        self._codes = [np.array([code_of[name] for name in own], np.int64) for own in names]
        self.num_ranges = 1 + sum(map(len, parts)) // AT_ONCE

    def range(self, number: int, shift: int = 0) -> NDArray:
        """LOCATED of the documents whose draw plus `shift` is in one of `num_ranges` equal ranges, sorted by that."""
        first, last = (place * DRAWS // self.num_ranges for place in (number, number + 1))
        found = [np.empty(0, LOCATED)]
        for shard, part in enumerate(self._parts):
            for low, high in _unshifted(first, last, shift):
                ends = [
                    len(part) if draw == DRAWS else np.searchsorted(part["draw"], np.uint64(draw))
                    for draw in (low, high)
                ]
                own = part[ends[0] : ends[1]]
                located = np.empty(len(own), LOCATED)
                for field in ("draw", "start", "num_tokens"):
                    located[field] = own[field]
                located["source"] = self._codes[shard][own["source"]] if len(own) else 0
                located["shard"] = shard
                found.append(located)
        joined = np.concatenate(found)
        return joined[np.argsort(joined["draw"] + np.uint64(shift), kind="stable")]

    def ranges(self) -> Iterator[NDArray]:
        """All documents, sorted by draw, range by range."""
        return map(self.range, range(self.num_ranges))


@dataclass(frozen=True)
class Epoch:
    """What an epoch shows, and how often."""

    index: EncodedIndex
    kinds: tuple[KindShare, ...]
    num_documents: int
    """Repeats counted."""
    full_repeats: NDArray[np.int64]
    """Of each name: how often all of its documents stand there."""
    cut: NDArray[np.uint64]
    """Of each name: documents of lower draws stand there once more."""

    def documents(self) -> Iterator[NDArray]:
        """LOCATED of the documents in their order, range by range."""
        most = int(self.full_repeats.max())
        for number in range(self.index.num_ranges):
            found, keys = [np.empty(0, LOCATED)], [np.empty(0, np.uint64)]
            for repeat in range(most + 1):
                shift = repeat * REPEAT % DRAWS
                documents = self.index.range(number, shift)
                full = self.full_repeats[documents["source"]]
                stands = (repeat < full) | ((repeat == full) & (documents["draw"] < self.cut[documents["source"]]))
                found.append(documents[stands])
                keys.append(found[-1]["draw"] + np.uint64(shift))
            yield np.concatenate(found)[np.argsort(np.concatenate(keys), kind="stable")]


def plan_epoch(index: EncodedIndex, weights: Mapping[str, float] | None, *, max_repeats: int) -> Epoch:
    """An epoch of as many tokens as the training side; `weights` by kind, None: as much of each as there is.

    A kind with more text than its weight asks for gives the first of the shuffle, one with less repeats itself, at
    most `max_repeats` times over. Weights of kinds without text go to the others. Raises ValueError where no kind has a
    weight.
    """
    tokens, documents = np.zeros(len(index.names), np.int64), np.zeros(len(index.names), np.int64)
    for located in index.ranges():
        for code in range(len(index.names)):
            own = located["num_tokens"][located["source"] == code]
            tokens[code] += own.sum()
            documents[code] += len(own)
    present = [name for code, name in enumerate(index.names) if documents[code]]
    wanted = None if weights is None else {name: weights.get(name, 0.0) for name in present}
    if wanted is not None and not sum(wanted.values()) > 0:
        raise ValueError(f"no kind of text that is there ({', '.join(present)}) has a weight: {dict(weights or {})}")
    total = int(tokens.sum())
    shares = {
        name: have / total if wanted is None else wanted[name] / sum(wanted.values())
        for name, have in zip(index.names, tokens.tolist(), strict=True)
        if name in present
    }
    targets = np.array(
        [
            min(round(shares.get(name, 0.0) * total), max_repeats * have)
            for name, have in zip(index.names, tokens.tolist(), strict=True)
        ],
        np.int64,
    )
    full_repeats = targets // np.maximum(tokens, 1)
    cut, part_tokens, part_documents = _cut(index, targets - full_repeats * tokens)
    kinds = tuple(
        KindShare(
            name=name,
            weight=shares[name],
            num_tokens=int(tokens[code]),
            tokens_of_epoch=int(full_repeats[code] * tokens[code] + part_tokens[code]),
        )
        for code, name in enumerate(index.names)
        if name in present
    )
    num_documents = int((full_repeats * documents + part_documents).sum())
    return Epoch(index, kinds, num_documents, full_repeats, cut)


def _cut(index: EncodedIndex, wanted: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray, NDArray]:
    """(draw below which documents have at least so many tokens, their tokens, their number), by name."""
    cut, tokens, documents = np.zeros(len(wanted), np.uint64), np.zeros_like(wanted), np.zeros_like(wanted)
    for located in index.ranges():
        for code in np.flatnonzero(tokens < wanted).tolist():
            own = located[located["source"] == code]
            taken = int(np.searchsorted(tokens[code] + np.cumsum(own["num_tokens"]), wanted[code])) + 1
            if len(own):
                cut[code] = own["draw"][:taken][-1] + 1
                tokens[code] += own["num_tokens"][:taken].sum()
                documents[code] += len(own[:taken])
        if (tokens >= wanted).all():
            break
    return cut, tokens, documents


def _unshifted(first: int, last: int, shift: int) -> list[tuple[int, int]]:
    """The ranges of draws that `shift` brings into [first, last), modulo DRAWS; a second one where it wraps."""
    low = (first - shift) % DRAWS
    high = low + last - first
    return [(low, high)] if high <= DRAWS else [(low, DRAWS), (0, high - DRAWS)]
