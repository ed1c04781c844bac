"""Selection: which extracted documents train, which are held out, and what became of the rest.

Shard by shard documents are measured into ledgers; decisions are made on the ledgers; shard by shard they are carried
out. What decides (ids, texts, draws) knows neither shards nor order, so neither does the outcome. No step holds the
texts of more than a few documents.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from glam.config import DataConfig
from glam.data.arrays import load_array, save_array
from glam.data.benchmarks import examples
from glam.data.decisions import DECIDED, DECISIONS, SIDES, STEPS, matches_name, open_ledger
from glam.data.examples import ExamplePicker
from glam.data.extract import documents_name, read_report
from glam.data.ledger import KINDS, Ledger, has_ledger, write_ledger
from glam.data.overlap import benchmark_overlap, found_ngrams, heldout_overlap, known_ngrams, touches
from glam.data.quality import FACTS as CLASSIFIER_FACTS
from glam.data.quality import Classifier, ClassifierFacts
from glam.data.report import (
    NOTHING,
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
from glam.records import Document
from glam.store import Folder

REPORT = "report.json"
EXAMPLES = "examples.jsonl"


def measure_shard(config: DataConfig, shard: int, extracted: Folder, classifier: Folder, folder: Folder) -> None:
    """Writes the ledger of one shard, unless an earlier owner of the folder did."""
    if not has_ledger(shard, folder):
        write_ledger(config, shard, _extracted(extracted, shard), Classifier.load(classifier), folder)


def measure_guests(config: DataConfig, judged: Folder, folder: Folder) -> None:
    """Writes the ledger of what `config.judged_as` holds out: what is like it is not trained on here."""
    assert config.judged_as is not None, "only then there are guests"
    if not has_ledger(config.source.num_shards, folder):
        guests = heldout_documents(config.judged_as, judged)
        write_ledger(config, config.source.num_shards, guests, None, folder)


def index_benchmarks(config: DataConfig, folder: Folder) -> None:
    """Writes the n-grams of the benchmarks' examples."""
    known = (text for texts in examples(config.overlap).values() for text in texts)
    save_array(folder, "benchmark_ngrams", known_ngrams(known, config.overlap.ngram))


def carry_out(config: DataConfig, shard: int, extracted: Folder, folder: Folder) -> None:
    """Writes both sides, the drops and the examples of one shard, unless an earlier owner of the folder did."""
    if (folder.path / _report_name(shard)).exists():
        return
    ledger = open_ledger(config, folder)
    rows = ledger.shard(shard)
    decided = load_array(folder, DECIDED, mapped=True)[ledger.first_S[shard] : ledger.first_S[shard + 1]]
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


def index_judged_text(config: DataConfig, judged: Folder | None, folder: Folder) -> None:
    """Writes the n-grams of all text that models are judged by, held-out text and benchmarks.

    `judged` is the selected corpus of `config.judged_as`, here and in `finish_selection`.
    """
    texts = (each.text for each in _judging_documents(config, judged, folder))
    heldout_K = known_ngrams(texts, config.overlap.ngram)
    save_array(folder, "judged_ngrams", np.union1d(heldout_K, load_array(folder, "benchmark_ngrams")))


def search_shard(config: DataConfig, shard: int, folder: Folder) -> None:
    """Writes which of those n-grams the training side of one shard holds."""
    if not (folder.path / f"{_found_name(shard)}.npy").exists():
        texts = (each.text for each in folder.stream(side_name("train", shard), Document))
        found_K = found_ngrams(load_array(folder, "judged_ngrams"), texts, config.overlap.ngram)
        save_array(folder, _found_name(shard), found_K)


def finish_selection(
    config: DataConfig, extracted: Folder, classifier: Folder, judged: Folder | None, folder: Folder
) -> SelectionReport:
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
        overlap=heldout_overlap((each.text for each in _judging_documents(config, judged, folder)), trained_K, ngram),
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
        for name in (*(f"{matches_name(kind, shard)}.npy" for kind in KINDS), f"{_found_name(shard)}.npy"):
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


def _judging_documents(config: DataConfig, judged: Folder | None, folder: Folder) -> list[Document]:
    """The held-out text that models trained on this selection are judged by."""
    if judged is None:
        return heldout_documents(config, folder)
    assert config.judged_as is not None, "its selected corpus is given"
    return heldout_documents(config.judged_as, judged)


def _histogram(ledger: Ledger) -> dict[str, tuple[int, ...]]:
    """Of every document that the classifier judged, by source."""
    total: dict[str, NDArray[np.int64]] = {}
    for shard in range(ledger.num_shards):
        rows = ledger.shard(shard)
        judged = rows[~np.isnan(rows["score"])]
        known = ledger.sources(shard)
        names = [known[code] for code in judged["source"].tolist()]
        for source, counts in score_histogram(judged["score"], names).items():
            total[source] = total.get(source, 0) + np.array(counts)
    return {source: tuple(total[source].tolist()) for source in sorted(total)}


def _extracted(extracted: Folder, shard: int) -> Iterator[Document]:
    return extracted.stream(documents_name(shard), Document)


def _found_name(shard: int) -> str:
    return f"found-{shard:05d}"


def _report_name(shard: int) -> str:
    return f"selected-{shard:05d}.json"
