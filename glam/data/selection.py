"""Selection: which extracted documents train, which are held out, and what became of the rest.

Shard by shard documents are measured into ledgers; decisions are made on the ledgers, partition by partition of their
keys and then in one place; shard by shard they are carried out. What decides (ids, texts, draws) knows neither shards
nor order, so neither does the outcome. No step holds the texts of more than a few documents.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from glam.config import DataConfig, SplitConfig, replace
from glam.data.arrays import load_array, save_array
from glam.data.benchmarks import examples
from glam.data.dedup import clusters
from glam.data.examples import ExamplePicker
from glam.data.extract import documents_name, read_report
from glam.data.ledger import KINDS, Ledger, has_ledger, write_ledger
from glam.data.overlap import benchmark_overlap, found_ngrams, heldout_overlap, known_ngrams, touches
from glam.data.quality import FACTS as CLASSIFIER_FACTS
from glam.data.quality import Classifier, ClassifierFacts
from glam.data.report import (
    NOTHING,
    Amount,
    AmountBySource,
    DropCount,
    SelectedShard,
    SelectionDrop,
    SelectionReport,
    add_amounts,
    add_drops,
    most_frequent_reasons,
)
from glam.data.scores import score_histogram
from glam.data.split import heldout_units
from glam.records import Document
from glam.store import Folder

REPORT = "report.json"
STEPS = "steps.json"
HELDOUT_UNITS = "heldout_units"
EXAMPLES = "examples.jsonl"
SIDES = ("train", "heldout")
REASONS = ("repeated_id", "quality", "exact_duplicate", "near_duplicate", "benchmark_overlap", "heldout_unit")
DECISIONS = (*SIDES, *REASONS)
"""What may become of a document; all but the sides are reasons of a drop."""
DECIDED = np.dtype([("decision", "u1"), ("survivor", "<i8")])
"""`survivor`: number of the document that a duplicate fell to, else -1."""


def measure_shard(config: DataConfig, shard: int, extracted: Folder, classifier: Folder, folder: Folder) -> None:
    """Writes the ledger of one shard, unless an earlier owner of the folder did."""
    if not has_ledger(shard, folder):
        write_ledger(config, shard, _extracted(extracted, shard), Classifier.load(classifier), folder)


def match_partition(config: DataConfig, partition: int, folder: Folder) -> None:
    """Writes which documents share a key, for one of as many partitions as there are shards."""
    num_shards = config.source.num_shards
    ledger = Ledger(folder, num_shards)
    for kind in KINDS:
        matched = np.stack(ledger.matches(kind, partition, num_shards))
        save_array(folder, _matches_name(kind, partition), matched)


def decide(config: DataConfig, extracted: Folder, judged: Folder | None, folder: Folder) -> None:
    """Writes what becomes of every document, and how much was left after each step.

    `judged` is the selected corpus of `config.judged_as`: what it holds out is held out here, and of duplicates such a
    document survives. Raises ValueError where no text is left to train on, with the reasons and what to change.
    """
    ledger = Ledger(folder, config.source.num_shards)
    unit_key_D = ledger.column("unit_key")
    given_D = np.isin(unit_key_D, load_array(judged, HELDOUT_UNITS)) if judged is not None else None
    decided = np.zeros(len(ledger), DECIDED)
    decided["survivor"] = -1
    num_bytes_D = ledger.column("num_bytes")
    steps: dict[str, Amount] = {}

    def drop(reason: str, numbers: NDArray[np.int64], survivors: NDArray[np.int64] | None = None) -> None:
        decided["decision"][numbers] = DECISIONS.index(reason)
        if survivors is not None:
            decided["survivor"][numbers] = survivors

    def left(step: str) -> NDArray[np.bool_]:
        stays_D = decided["decision"] < len(SIDES)
        steps[step] = Amount(documents=int(stays_D.sum()), bytes=int(num_bytes_D[stays_D].sum()))
        return stays_D

    drop("repeated_id", _repeated(ledger, *_matches(folder, "id", ledger.num_shards)))
    stays_D = left("extracted")
    drop("quality", np.flatnonzero(stays_D & ~ledger.column("good")))
    stays_D = left("quality")
    groups, numbers = _alive(stays_D, *_matches(folder, "text", ledger.num_shards))
    drop("exact_duplicate", *_fallen(ledger, groups, numbers, given_D))
    stays_D = left("exact_duplicate")
    joined, numbers = clusters(*_alive(stays_D, *_matches(folder, "band", ledger.num_shards)))
    drop("near_duplicate", *_fallen(ledger, joined, numbers, given_D))
    stays_D = left("near_duplicate")
    if not stays_D.any():
        counts = {reason: int((decided["decision"] == code).sum()) for code, reason in enumerate(DECISIONS)}
        dropped = {reason: {"all": count} for reason, count in counts.items() if count}
        raise ValueError(
            "no document is left after selection; dropped: "
            f"{most_frequent_reasons({**read_report(extracted).dropped, **dropped})}. "
            "Lower data.quality.alpha, or set data.quality.enabled=false"
        )
    if given_D is None:
        given_D = np.isin(unit_key_D, _heldout_units(ledger, stays_D, config.split))
    save_array(folder, HELDOUT_UNITS, np.unique(unit_key_D[given_D]))
    decided["decision"][stays_D & given_D] = DECISIONS.index("heldout")
    if config.split.curated_only:
        drop("heldout_unit", np.flatnonzero(stays_D & given_D & ~ledger.column("curated")))
    known = [text for texts in examples(config.overlap).values() for text in texts]
    save_array(folder, "benchmark_ngrams", known_ngrams(known, config.overlap.ngram))
    for shard, (first, last) in enumerate(zip(ledger.first_S[:-1], ledger.first_S[1:], strict=True)):
        save_array(folder, _decided_name(shard), decided[first:last])
    near_clusters = int((np.bincount(joined) > 1).sum()) if len(joined) else 0
    folder.write_json(
        STEPS, {"steps": {step: each.model_dump() for step, each in steps.items()}, "num_near_clusters": near_clusters}
    )


def carry_out(config: DataConfig, shard: int, extracted: Folder, folder: Folder) -> None:
    """Writes both sides, the drops and the examples of one shard, unless an earlier owner of the folder did."""
    if (folder.path / _report_name(shard)).exists():
        return
    ledger = Ledger(folder, config.source.num_shards)
    decided, rows = load_array(folder, _decided_name(shard)), ledger.shard(shard)
    benchmark_K, drops_touched = load_array(folder, "benchmark_ngrams"), config.overlap.policy == "drop"
    sides, dropped = {side: AmountBySource() for side in SIDES}, DropCount()
    heldout_units: set[str] = set()
    picked = ExamplePicker()
    with ExitStack() as files:
        out = {side: files.enter_context(folder.create(side_name(side, shard))) for side in SIDES}
        drops = files.enter_context(folder.create(f"drops-{shard:05d}.jsonl"))
        for place, document in enumerate(_extracted(extracted, shard)):
            decision = DECISIONS[decided["decision"][place]]
            score = None if np.isnan(rows["score"][place]) else float(rows["score"][place])
            if decision == "train" and drops_touched and touches(benchmark_K, document.text, config.overlap.ngram):
                decision = "benchmark_overlap"
            if score is not None and (decision in SIDES or decision == "quality"):
                picked.offer(document, score, kept=decision in SIDES)
            if decision in SIDES:
                sides[decision].add(document)
                if decision == "heldout":
                    heldout_units.add(document.unit)
                out[decision].write(document.model_dump_json().encode() + b"\n")
                continue
            survivor = int(decided["survivor"][place])
            fallen = SelectionDrop(
                document_id=document.id,
                source=document.source,
                reason=decision,
                survivor_id=ledger.id_of(survivor) if survivor >= 0 else None,
                score=score if decision == "quality" else None,
            )
            dropped.add(fallen)
            drops.write(fallen.model_dump_json().encode() + b"\n")
    report = SelectedShard(
        sides={side: each.amounts() for side, each in sides.items()},
        dropped=dropped.counts(),
        heldout_units=tuple(sorted(heldout_units)),
        examples=tuple(picked.chosen()),
    )
    folder.write_json(_report_name(shard), report.model_dump(mode="json"))


def index_judged_text(config: DataConfig, folder: Folder) -> None:
    """Writes the n-grams of all text that models are judged by, held-out text and benchmarks."""
    heldout_K = known_ngrams((each.text for each in heldout_documents(config, folder)), config.overlap.ngram)
    save_array(folder, "judged_ngrams", np.union1d(heldout_K, load_array(folder, "benchmark_ngrams")))


def search_shard(config: DataConfig, shard: int, folder: Folder) -> None:
    """Writes which of those n-grams the training side of one shard holds."""
    if not (folder.path / f"{_found_name(shard)}.npy").exists():
        texts = (each.text for each in folder.stream(side_name("train", shard), Document))
        found_K = found_ngrams(load_array(folder, "judged_ngrams"), texts, config.overlap.ngram)
        save_array(folder, _found_name(shard), found_K)


def finish_selection(config: DataConfig, extracted: Folder, classifier: Folder, folder: Folder) -> SelectionReport:
    """Sums up all shards. Raises ValueError where nothing is left to train on."""
    shards = range(config.source.num_shards)
    reports = [SelectedShard.model_validate(folder.read_json(_report_name(shard))) for shard in shards]
    dropped = add_drops([read_report(extracted).dropped, *(each.dropped for each in reports)])
    by_source = {side: add_amounts(each.sides[side] for each in reports) for side in SIDES}
    sides = {side: sum(by_source[side].values(), NOTHING) for side in SIDES}
    if not sides["train"].documents:
        raise ValueError(
            f"no document is left to train on; dropped: {most_frequent_reasons(dropped)}, held out: "
            f"{sides['heldout'].documents}. Give more text, or set data.overlap.policy=report"
        )
    judged_K = load_array(folder, "judged_ngrams")
    found_K = np.zeros(len(judged_K), dtype=bool)
    for shard in shards:
        found_K |= load_array(folder, _found_name(shard))
    trained_K, ngram = judged_K[found_K], config.overlap.ngram
    facts = ClassifierFacts.model_validate(classifier.read_json(CLASSIFIER_FACTS))
    decided = folder.read_json(STEPS)
    report = SelectionReport(
        steps={**decided["steps"], **sides},
        kept=add_amounts(by_source.values()),
        dropped=dropped,
        num_near_clusters=decided["num_near_clusters"],
        heldout_units=tuple(sorted({unit for each in reports for unit in each.heldout_units})),
        auc=facts.auc,
        classifier_skipped=facts.skipped,
        score_histogram=_histogram(Ledger(folder, config.source.num_shards)),
        overlap=heldout_overlap((each.text for each in heldout_documents(config, folder)), trained_K, ngram),
        benchmarks=tuple(
            benchmark_overlap(task, texts, trained_K, ngram) for task, texts in sorted(examples(config.overlap).items())
        ),
    )
    chosen = ExamplePicker()
    for each in (example for shard in reports for example in shard.examples):
        chosen.keep(each)
    folder.write_text(EXAMPLES, "".join(each.model_dump_json() + "\n" for each in chosen.chosen()))
    folder.write_json(REPORT, report.model_dump(mode="json"))
    for shard in shards:
        for name in (*(f"{_matches_name(kind, shard)}.npy" for kind in KINDS), f"{_found_name(shard)}.npy"):
            folder.remove(name)
    return report


def side_name(side: str, shard: int) -> str:
    """File of one shard's documents on one side, a key of SIDES."""
    return f"{side}-{shard:05d}.jsonl"


def training_documents(config: DataConfig, selected: Folder) -> Iterator[Document]:
    """The training side, shard after shard."""
    for shard in range(config.source.num_shards):
        yield from selected.stream(side_name("train", shard), Document)


def heldout_documents(config: DataConfig, selected: Folder) -> list[Document]:
    """The held-out side in order of ids; `data.split.max_megabytes` bounds it."""
    shards = range(config.source.num_shards)
    found = [each for shard in shards for each in selected.stream(side_name("heldout", shard), Document)]
    return sorted(found, key=lambda document: document.id)


def _histogram(ledger: Ledger) -> dict[str, tuple[int, ...]]:
    """Of every document that the classifier judged, by source."""
    total: dict[str, NDArray[np.int64]] = {}
    for shard in range(ledger.num_shards):
        rows = ledger.shard(shard)
        judged = rows[~np.isnan(rows["score"])]
        names = np.array(ledger.sources(shard), dtype=object)[judged["source"]].tolist()
        for source, counts in score_histogram(judged["score"], names).items():
            total[source] = total.get(source, 0) + np.array(counts)
    return {source: tuple(total[source].tolist()) for source in sorted(total)}


def _extracted(extracted: Folder, shard: int) -> Iterator[Document]:
    return extracted.stream(documents_name(shard), Document)


def _matches(folder: Folder, kind: str, num_partitions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(group, number) of all partitions, groups numbered through."""
    groups, numbers, next_group = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for partition in range(num_partitions):
        group, number = load_array(folder, _matches_name(kind, partition))
        groups.append(group + next_group)
        numbers.append(number)
        next_group += int(group.max()) + 1 if len(group) else 0
    return np.concatenate(groups), np.concatenate(numbers)


def _alive(
    stays_D: NDArray[np.bool_], groups: NDArray[np.int64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    alive = stays_D[numbers]
    return groups[alive], numbers[alive]


def _repeated(ledger: Ledger, groups: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """All but one of the documents of an id: ids seed every draw, so there can be only one. The first by its text."""
    fallen: list[int] = []
    for members in _by_group(groups, numbers):
        ranked = sorted(
            (ledger.id_of(number), int(ledger.shard(place.shard)["text_key"][place.row]), number)
            for number, place in ((number, ledger.place(number)) for number in members)
        )
        fallen += [after[2] for before, after in pairwise(ranked) if before[0] == after[0]]
    return np.array(fallen, dtype=np.int64)


def _fallen(
    ledger: Ledger, groups: NDArray[np.int64], numbers: NDArray[np.int64], first_D: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(fallen, survivor): of each group the document with the smallest id survives, one of `first_D` before others."""
    fallen: list[int] = []
    survivors: list[int] = []
    for members in _by_group(groups, numbers):
        favoured = members if first_D is None else [number for number in members if first_D[number]]
        survivor = min(favoured or members, key=ledger.id_of)
        others = [number for number in members if number != survivor]
        fallen += others
        survivors += [survivor] * len(others)
    return np.array(fallen, dtype=np.int64), np.array(survivors, dtype=np.int64)


def _heldout_units(ledger: Ledger, stays_D: NDArray[np.bool_], config: SplitConfig) -> NDArray[np.uint64]:
    unit_key_D, num_bytes_D = ledger.column("unit_key")[stays_D], ledger.column("num_bytes")[stays_D]
    if not config.curated_only:
        return heldout_units(unit_key_D, num_bytes_D, config)
    curated_D = ledger.column("curated")[stays_D]
    share = config.heldout_fraction * num_bytes_D.sum() / max(1, num_bytes_D[curated_D].sum())
    if share >= 1:
        raise ValueError(
            f"data.split: curated documents hold {num_bytes_D[curated_D].sum()} bytes, no more than the "
            f"{config.heldout_fraction:.0%} of all text to hold out; lower heldout_fraction, or set curated_only=false"
        )
    return heldout_units(unit_key_D[curated_D], num_bytes_D[curated_D], replace(config, heldout_fraction=float(share)))


def _by_group(groups: NDArray[np.int64], numbers: NDArray[np.int64]) -> Iterator[list[int]]:
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    for members in np.split(numbers[order], starts[1:]):
        if len(members):
            yield members.tolist()


def _matches_name(kind: str, partition: int) -> str:
    return f"{kind}_matches-{partition:05d}"


def _decided_name(shard: int) -> str:
    return f"decided-{shard:05d}"


def _found_name(shard: int) -> str:
    return f"found-{shard:05d}"


def _report_name(shard: int) -> str:
    return f"selected-{shard:05d}.json"
