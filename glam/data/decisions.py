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
    ledger = open_ledger(config, folder)
    for kind in KINDS:
        matched = np.stack(ledger.matches(kind, partition, config.source.num_shards))
        save_array(folder, matches_name(kind, partition), matched)


def decide(config: DataConfig, extracted: Folder, judged: Folder | None, folder: Folder) -> None:
    """Writes what becomes of every document, and how much was left after each step.

    `judged` is the selected corpus of `config.judged_as`: units that it holds out are held out here, and what is like
    one of its held-out documents, the guests of the ledger, falls to that. Raises ValueError where no text is left to
    train on, with the reasons and what to change.
    """
    ledger = open_ledger(config, folder)
    given = None if judged is None else load_array(judged, HELDOUT_UNITS)
    steps: dict[str, Amount] = {}
    with mapped_array(folder, DECIDED, ROW, len(ledger)) as row_D:
        decided = _Decisions(ledger, row_D)
        for groups, numbers in _matches(folder, "id", ledger.num_shards):
            decided.drop("repeated_id", _repeated(ledger, groups, numbers))
        _require_few_repeated(decided, config)
        steps["extracted"] = decided.left()
        for rows, row_N in decided.parts():
            row_N["decision"][(row_N["decision"] < len(SIDES)) & ~rows["good"]] = DECISIONS.index("quality")
        steps["quality"] = decided.left()
        if given is not None:
            save_array(folder, HELDOUT_UNITS, decided.hold_out(given, curated_only=config.split.curated_only))
        first = _first_to_survive(ledger)
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
        if given is None:
            chosen = _heldout_units(decided, config.split)
            save_array(folder, HELDOUT_UNITS, decided.hold_out(chosen, curated_only=config.split.curated_only))
    folder.write_json(
        STEPS, {"steps": {step: each.model_dump() for step, each in steps.items()}, "num_near_clusters": num_clusters}
    )


class _Decisions:
    """The row of every document, beside what the ledgers know of it."""

    def __init__(self, ledger: Ledger, row_D: NDArray):
        self._ledger = ledger
        self._row_D = row_D
        row_D["survivor"] = -1

    def parts(self) -> Iterator[tuple[NDArray, NDArray]]:
        """(rows of the ledger, rows to decide on) of each shard, guests left out."""
        ends = self._ledger.first_S.tolist()
        for shard in range(self._ledger.num_shards):
            yield self._ledger.shard(shard), self._row_D[ends[shard] : ends[shard + 1]]

    @property
    def num_documents(self) -> int:
        return self._ledger.num_own

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
        for first, last in pairwise(self._ledger.first_S[: self._ledger.num_shards + 1].tolist()):
            number_N = np.arange(first, last)
            joined_N = (first_D[first:last] >= 0) & (first_D[first:last] != number_N)
            self.drop(reason, number_N[joined_N], first_D[first:last][joined_N])

    def alive(self, matches: Matches) -> Matches:
        """The matches of what may train, and of guests."""
        for groups, numbers in matches:
            alive_N = self._row_D["decision"][numbers] == SIDES.index("train")
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


def open_ledger(config: DataConfig, folder: Folder) -> Ledger:
    """The ledger of a selection, with guests where it is judged as another one."""
    return Ledger(folder, config.source.num_shards, with_guests=config.judged_as is not None)


def matches_name(kind: str, partition: int) -> str:
    """Array of what shares a key in one partition."""
    return f"{kind}_matches-{partition:05d}"


def _matches(folder: Folder, kind: str, num_partitions: int) -> Matches:
    for partition in range(num_partitions):
        groups, numbers = load_array(folder, matches_name(kind, partition))
        yield groups, numbers


def _repeated(ledger: Ledger, groups: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """All but one of the documents of an id: ids seed every draw, so there can be only one. The first by its hash."""
    fallen: list[int] = []
    for members in by_group(groups, numbers):
        members = [number for number in members if number < ledger.num_own]
        record_keys = ledger.take("record_key", np.array(members, np.int64)).tolist()
        ranked = sorted(zip(map(ledger.id_of, members), record_keys, members, strict=True))
        fallen += [after[2] for before, after in pairwise(ranked) if before[0] == after[0]]
    return np.array(fallen, dtype=np.int64)


def _require_few_repeated(decided: _Decisions, config: DataConfig) -> None:
    """Raises ValueError where so many documents are lost to their ids that these do not name documents."""
    most, num_repeated = config.source.max_quarantined_fraction, decided.counts().get("repeated_id", 0)
    if num_repeated > max(1, most * decided.num_documents):
        raise ValueError(
            f"{num_repeated:,} of {decided.num_documents:,} documents repeat the id of another one, more than "
            f"data.source.max_quarantined_fraction={most:g} allows: an id names one document of the whole source. "
            "Leave the field `id` out of the files, or give every document its own"
        )


def _first_to_survive(ledger: Ledger) -> Callable[[Sequence[int]], int]:
    """Of duplicates the document with the smallest id survives, a guest before all others."""

    def survivor(members: Sequence[int]) -> int:
        guests = [number for number in members if number >= ledger.num_own]
        return min(guests or members, key=ledger.id_of)

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
    wanted = min(config.heldout_fraction * decided.left().bytes, config.max_megabytes * 1e6)
    share = wanted / max(1, curated_bytes)
    if share >= 1:
        raise ValueError(
            f"data.split: curated documents hold {curated_bytes} bytes, no more than the {wanted:.0f} to hold out; "
            "lower heldout_fraction or max_megabytes, or set curated_only=false"
        )
    return heldout_units(lambda: sizes(curated_only=True), replace(config, heldout_fraction=share))
