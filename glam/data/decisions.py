"""Decisions: what becomes of every document, made on the ledgers alone.

What is known of all documents lies in mapped files: it is asked a shard's rows at a time, matches a partition at a
time. So deciding takes the memory of one shard's rows and one partition's matches, however many documents there are.
"""

# D all documents, N some of them by number
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glam.config import DataConfig, SplitConfig, replace
from glam.data.arrays import load_array, mapped_array, save_array
from glam.data.dedup import Matches, by_group, join_clusters
from glam.data.extract import read_report
from glam.data.ledger import KINDS, Ledger
from glam.data.report import Amount, most_frequent_reasons
from glam.data.split import UnitSizes, heldout_units
from glam.store import Folder

STEPS = "steps.json"
HELDOUT_UNITS = "heldout_units"
DECIDED = "decided"
SIDES = ("train", "heldout")
REASONS = ("repeated_id", "quality", "exact_duplicate", "near_duplicate", "benchmark_overlap", "heldout_unit")
DECISIONS = (*SIDES, *REASONS)
"""What may become of a document; all but the sides are reasons of a drop."""
ROW = np.dtype([("decision", "u1"), ("survivor", "<i8")])
"""`survivor`: number of the document that a duplicate fell to, else -1."""


def match_partition(config: DataConfig, partition: int, folder: Folder) -> None:
    """Writes which documents share a key, for one of as many partitions as there are shards."""
    num_shards = config.source.num_shards
    ledger = Ledger(folder, num_shards)
    for kind in KINDS:
        save_array(folder, matches_name(kind, partition), np.stack(ledger.matches(kind, partition, num_shards)))


def decide(config: DataConfig, extracted: Folder, judged: Folder | None, folder: Folder) -> None:
    """Writes what becomes of every document, and how much was left after each step.

    `judged` is the selected corpus of `config.judged_as`: what it holds out is held out here, and of duplicates such a
    document survives. Raises ValueError where no text is left to train on, with the reasons and what to change.
    """
    ledger = Ledger(folder, config.source.num_shards)
    given = None if judged is None else load_array(judged, HELDOUT_UNITS)
    steps: dict[str, Amount] = {}
    with mapped_array(folder, DECIDED, ROW, len(ledger)) as row_D:
        decided = _Decisions(ledger, row_D)
        for groups, numbers in _matches(folder, "id", ledger.num_shards):
            decided.drop("repeated_id", _repeated(ledger, groups, numbers))
        steps["extracted"] = decided.left()
        for rows, row_N in decided.parts():
            row_N["decision"][(row_N["decision"] < len(SIDES)) & ~rows["good"]] = DECISIONS.index("quality")
        steps["quality"] = decided.left()
        first = _first_to_survive(ledger, given)
        for groups, numbers in decided.alive(_matches(folder, "text", ledger.num_shards)):
            decided.drop("exact_duplicate", *_fallen(groups, numbers, first))
        steps["exact_duplicate"] = decided.left()
        near_matches = decided.alive(_matches(folder, "band", ledger.num_shards))
        with mapped_array(folder, "clusters", np.dtype("<i8"), len(ledger)) as first_D:
            num_clusters = join_clusters(first_D, near_matches, first)
            decided.drop_joined("near_duplicate", first_D)
        folder.remove("clusters.npy")
        steps["near_duplicate"] = decided.left()
        if not steps["near_duplicate"].documents:
            dropped = {reason: {"all": count} for reason, count in decided.counts().items()}
            raise ValueError(
                "no document is left after selection; dropped: "
                f"{most_frequent_reasons({**read_report(extracted).dropped, **dropped})}. "
                "Lower data.quality.alpha, or set data.quality.enabled=false"
            )
        heldout_keys = _heldout_units(decided, config.split) if given is None else given
        save_array(folder, HELDOUT_UNITS, decided.hold_out(heldout_keys, curated_only=config.split.curated_only))
    folder.write_json(
        STEPS, {"steps": {step: each.model_dump() for step, each in steps.items()}, "num_near_clusters": num_clusters}
    )


class _Decisions:
    """The row of every document, beside what the ledgers know of it."""

    def __init__(self, ledger: Ledger, row_D: NDArray):
        self._ledger = ledger
        self._row_D = row_D
        for _, row_N in self.parts():
            row_N["survivor"] = -1

    def parts(self) -> Iterator[tuple[NDArray, NDArray]]:
        """(rows of the ledger, rows to decide on) of each shard."""
        for shard, (first, last) in enumerate(pairwise(self._ledger.first_S.tolist())):
            yield self._ledger.shard(shard), self._row_D[first:last]

    def staying(self, *, curated_only: bool = False) -> Iterator[NDArray]:
        """Rows of the ledger of what is not dropped, shard by shard."""
        for rows, row_N in self.parts():
            stays_N = row_N["decision"] < len(SIDES)
            yield rows[stays_N & rows["curated"] if curated_only else stays_N]

    def left(self) -> Amount:
        """Documents that no step has dropped so far."""
        sizes = [(len(rows), int(rows["num_bytes"].sum())) for rows in self.staying()]
        return Amount(documents=sum(size[0] for size in sizes), bytes=sum(size[1] for size in sizes))

    def counts(self) -> dict[str, int]:
        """Documents dropped by reason."""
        total = np.zeros(len(DECISIONS), np.int64)
        for _, row_N in self.parts():
            total += np.bincount(row_N["decision"], minlength=len(DECISIONS))
        return {reason: int(total[DECISIONS.index(reason)]) for reason in REASONS if total[DECISIONS.index(reason)]}

    def drop(self, reason: str, number_N: NDArray[np.int64], survivor_N: NDArray[np.int64] | None = None) -> None:
        """Drops documents by their numbers, duplicates with those that they fell to."""
        self._row_D["decision"][number_N] = DECISIONS.index(reason)
        if survivor_N is not None:
            self._row_D["survivor"][number_N] = survivor_N

    def drop_joined(self, reason: str, first_D: NDArray[np.int64]) -> None:
        """Drops what `join_clusters` joined to another document."""
        for first, last in pairwise(self._ledger.first_S.tolist()):
            number_N = np.arange(first, last)
            joined_N = (first_D[first:last] >= 0) & (first_D[first:last] != number_N)
            self.drop(reason, number_N[joined_N], first_D[first:last][joined_N])

    def alive(self, matches: Matches) -> Matches:
        """The matches of what is not dropped."""
        for groups, numbers in matches:
            alive_N = self._row_D["decision"][numbers] < len(SIDES)
            yield groups[alive_N], numbers[alive_N]

    def hold_out(self, unit_keys: NDArray[np.uint64], *, curated_only: bool) -> NDArray[np.uint64]:
        """Holds out what stays of these units, or its curated part, and drops the other; gives the units that occur."""
        found = [np.empty(0, np.uint64)]
        for rows, row_N in self.parts():
            of_unit_N = np.isin(rows["unit_key"], unit_keys)
            found.append(np.unique(rows["unit_key"][of_unit_N]))
            of_unit_N &= row_N["decision"] < len(SIDES)
            row_N["decision"][of_unit_N] = DECISIONS.index("heldout")
            if curated_only:
                row_N["decision"][of_unit_N & ~rows["curated"]] = DECISIONS.index("heldout_unit")
        return np.unique(np.concatenate(found))


def matches_name(kind: str, partition: int) -> str:
    """Array of what shares a key in one partition."""
    return f"{kind}_matches-{partition:05d}"


def _matches(folder: Folder, kind: str, num_partitions: int) -> Matches:
    for partition in range(num_partitions):
        groups, numbers = load_array(folder, matches_name(kind, partition))
        yield groups, numbers


def _repeated(ledger: Ledger, groups: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """All but one of the documents of an id: ids seed every draw, so there can be only one. The first by its text."""
    fallen: list[int] = []
    for members in by_group(groups, numbers):
        text_keys = ledger.take("text_key", np.array(members)).tolist()
        ranked = sorted(zip(map(ledger.id_of, members), text_keys, members, strict=True))
        fallen += [after[2] for before, after in pairwise(ranked) if before[0] == after[0]]
    return np.array(fallen, dtype=np.int64)


def _first_to_survive(ledger: Ledger, given: NDArray[np.uint64] | None) -> Callable[[Sequence[int]], int]:
    """Of duplicates the document with the smallest id survives, one of the `given` units before others."""

    def survivor(members: Sequence[int]) -> int:
        if given is not None:
            given_N = np.isin(ledger.take("unit_key", np.array(members)), given)
            members = [number for number, is_given in zip(members, given_N, strict=True) if is_given] or members
        return min(members, key=ledger.id_of)

    return survivor


def _fallen(
    groups: NDArray[np.int64], numbers: NDArray[np.int64], first: Callable[[Sequence[int]], int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(fallen, survivor) of duplicates in groups that share no member."""
    fallen: list[int] = []
    survivors: list[int] = []
    for members in by_group(groups, numbers):
        survivor = first(members)
        others = [number for number in members if number != survivor]
        fallen += others
        survivors += [survivor] * len(others)
    return np.array(fallen, dtype=np.int64), np.array(survivors, dtype=np.int64)


def _heldout_units(decided: _Decisions, config: SplitConfig) -> NDArray[np.uint64]:
    def sizes(*, curated_only: bool) -> Iterator[UnitSizes]:
        for rows in decided.staying(curated_only=curated_only):
            yield rows["unit_key"], rows["num_bytes"]

    if not config.curated_only:
        return heldout_units(lambda: sizes(curated_only=False), config)
    curated_bytes = sum(int(num_bytes.sum()) for _, num_bytes in sizes(curated_only=True))
    share = config.heldout_fraction * decided.left().bytes / max(1, curated_bytes)
    if share >= 1:
        raise ValueError(
            f"data.split: curated documents hold {curated_bytes} bytes, no more than the "
            f"{config.heldout_fraction:.0%} of all text to hold out; lower heldout_fraction, or set curated_only=false"
        )
    return heldout_units(lambda: sizes(curated_only=True), replace(config, heldout_fraction=share))
