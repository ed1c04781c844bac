"""Selection: which extracted documents train, which are held out, and what became of the rest.

Scores and signatures are computed shard by shard; the decisions are made in one place, over documents
in order of their ids, so they depend neither on the number of shards nor on who finished first.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glam.config import DataConfig
from glam.data.arrays import load_array, save_array
from glam.data.dedup import exact_clusters, near_clusters, signatures
from glam.data.extract import read_report, read_shard
from glam.data.overlap import overlap
from glam.data.quality import FACTS as CLASSIFIER_FACTS
from glam.data.quality import Classifier, ClassifierFacts, keeps
from glam.data.report import (
    SelectionDrop,
    SelectionReport,
    add_drops,
    amount,
    amount_by_source,
    count_drops,
    most_frequent_reasons,
)
from glam.data.split import heldout_units
from glam.records import Document
from glam.store import Folder

TRAIN = "train.jsonl"
HELDOUT = "heldout.jsonl"
DROPS = "drops.jsonl"
REPORT = "report.json"
UNSCORED = np.nan
"""Score of what the classifier does not judge: curated text, and all text where there is no classifier."""


class Candidate(NamedTuple):
    """A document with what was measured about it."""

    document: Document
    score: float
    signature: NDArray[np.uint32]


def measure_shard(config: DataConfig, shard: int, extracted: Folder, classifier: Folder, folder: Folder) -> None:
    """Writes quality scores and MinHash signatures of one shard, unless an earlier owner of the folder did."""
    if (folder.path / f"{_signatures(shard)}.npy").exists():
        return
    documents = read_shard(extracted, shard)
    scores = np.full(len(documents), UNSCORED)
    model = Classifier.load(classifier)
    if model is not None:
        judged = np.array([not document.curated for document in documents], dtype=bool)
        scores[judged] = model.score([document.text for document in documents if not document.curated])
    save_array(folder, _scores(shard), scores)
    save_array(folder, _signatures(shard), signatures([document.text for document in documents], config.dedup))


def select(config: DataConfig, extracted: Folder, classifier: Folder, folder: Folder) -> SelectionReport:
    """Writes both sides, the drops and the report, from all measured shards.

    Raises ValueError where no text is left to train on, with the reasons and what to change.
    """
    drops: list[SelectionDrop] = []
    steps = {}
    candidates = _unique_ids(_candidates(config.source.num_shards, extracted, folder), drops)
    steps["extracted"] = amount(each.document for each in candidates)
    candidates = _good(candidates, config, drops)
    steps["quality"] = amount(each.document for each in candidates)
    clusters = exact_clusters([each.document.text for each in candidates])
    candidates = _survivors(candidates, clusters, "exact_duplicate", drops)
    steps["exact_duplicate"] = amount(each.document for each in candidates)
    signature_DP = np.array([each.signature for each in candidates]).reshape(-1, config.dedup.num_permutations)
    clusters = near_clusters(signature_DP, config.dedup)
    candidates = _survivors(candidates, clusters, "near_duplicate", drops)
    documents = [each.document for each in candidates]
    steps["near_duplicate"] = amount(documents)
    dropped = add_drops([read_report(extracted).dropped, count_drops(drops)])
    if not documents:
        raise ValueError(
            f"no document is left after selection; dropped: {most_frequent_reasons(dropped)}. "
            "Lower data.quality.alpha, or set data.quality.enabled=false"
        )
    held_out = heldout_units(documents, config.split)
    sides = {
        TRAIN: [document for document in documents if document.unit not in held_out],
        HELDOUT: [document for document in documents if document.unit in held_out],
    }
    for name, side in sides.items():
        folder.write_text(name, "".join(document.model_dump_json() + "\n" for document in side))
    folder.write_text(DROPS, "".join(drop.model_dump_json() + "\n" for drop in drops))
    facts = ClassifierFacts.model_validate(classifier.read_json(CLASSIFIER_FACTS))
    report = SelectionReport(
        steps={**steps, "train": amount(sides[TRAIN]), "heldout": amount(sides[HELDOUT])},
        kept=amount_by_source(documents),
        dropped=dropped,
        num_near_clusters=int((np.bincount(clusters) > 1).sum()),
        num_units=len({document.unit for document in documents}),
        heldout_units=tuple(sorted(held_out)),
        auc=facts.auc,
        classifier_skipped=facts.skipped,
        overlap=overlap(sides[TRAIN], sides[HELDOUT], ngram=config.split.overlap_ngram),
    )
    folder.write_json(REPORT, report.model_dump(mode="json"))
    return report


def _candidates(num_shards: int, extracted: Folder, folder: Folder) -> list[Candidate]:
    """All documents in order of their ids, equal ids in order of their texts."""
    found = []
    for shard in range(num_shards):
        measured = load_array(folder, _scores(shard)).tolist(), load_array(folder, _signatures(shard))
        found += [Candidate(*each) for each in zip(read_shard(extracted, shard), *measured, strict=True)]
    return sorted(found, key=lambda each: (each.document.id, each.document.text))


def _unique_ids(candidates: Sequence[Candidate], drops: list[SelectionDrop]) -> list[Candidate]:
    """One document for each id: ids seed every draw, so a second one is refused and counted."""
    kept: list[Candidate] = []
    for each in candidates:
        if kept and kept[-1].document.id == each.document.id:
            drops.append(_drop(each, "repeated_id"))
        else:
            kept.append(each)
    return kept


def _good(candidates: Sequence[Candidate], config: DataConfig, drops: list[SelectionDrop]) -> list[Candidate]:
    kept = []
    for each in candidates:
        quality = config.quality
        if np.isnan(each.score) or keeps(each.document.id, each.score, alpha=quality.alpha, seed=quality.seed):
            kept.append(each)
        else:
            drops.append(_drop(each, "quality", score=each.score))
    return kept


def _survivors(
    candidates: Sequence[Candidate], clusters: Iterable[int], reason: str, drops: list[SelectionDrop]
) -> list[Candidate]:
    """The first of each cluster; the others fall to it."""
    kept = []
    for place, first in enumerate(clusters):
        if place == first:
            kept.append(candidates[place])
        else:
            drops.append(_drop(candidates[place], reason, survivor_id=candidates[first].document.id))
    return kept


def _drop(
    candidate: Candidate, reason: str, *, survivor_id: str | None = None, score: float | None = None
) -> SelectionDrop:
    document = candidate.document
    return SelectionDrop(
        document_id=document.id, source=document.source, reason=reason, survivor_id=survivor_id, score=score
    )


def _scores(shard: int) -> str:
    return f"scores-{shard:05d}"


def _signatures(shard: int) -> str:
    return f"signatures-{shard:05d}"
