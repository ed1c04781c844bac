"""From files to shards: the result depends on the text and the config, not on how it was made."""

import random
from pathlib import Path

import pytest

from glam.config import DataConfig, SourceConfig, replace
from glam.data import stages
from glam.data.heldout import HeldOut
from glam.data.report import SelectionDrop, SelectionReport
from glam.data.shards import Shards
from glam.data.sources import plan_shards
from glam.records import Document, Drop
from glam.store import Folder
from tests.data.conftest import MakeFolder, document, write_corpus


def extract(config: DataConfig, folder: Folder, *, seed: int = 0) -> Folder:
    """Runs the shards in a random order."""
    shards = list(enumerate(plan_shards(config.source)))
    random.Random(seed).shuffle(shards)
    for shard, units in shards:
        stages.extract_shard(config.filters, shard, units, folder)
    stages.finish_extraction(config, sum(len(units) for _, units in shards), folder)
    return folder


def select(config: DataConfig, make_folder: MakeFolder, *, seed: int = 0) -> tuple[Folder, SelectionReport]:
    extracted = extract(config, make_folder("corpora"), seed=seed)
    classifier, selected = make_folder("classifiers"), make_folder("corpora")
    stages.make_classifier(config, extracted, classifier)
    for shard in range(config.source.num_shards):
        stages.measure_shard(config, shard, extracted, classifier, selected)
    return selected, stages.select(config, extracted, classifier, selected)


def contents(folder: Folder, *names: str) -> list[bytes]:
    return [(folder.path / name).read_bytes() for name in names]


def test_kept_documents_depend_neither_on_shards_nor_on_their_order(
    corpus: DataConfig, make_folder: MakeFolder
) -> None:
    written = [
        contents(
            select(replace(corpus, source={"num_shards": num_shards}), make_folder, seed=seed)[0],
            *("train.jsonl", "heldout.jsonl", "drops.jsonl", "report.json"),
        )
        for num_shards, seed in ((1, 0), (2, 1), (3, 2), (9, 3))
    ]
    assert all(each == written[0] for each in written)


def test_every_document_is_kept_or_dropped_with_a_reason(corpus: DataConfig, make_folder: MakeFolder) -> None:
    selected, report = select(corpus, make_folder)
    train, heldout = selected.read("train.jsonl", Document), selected.read("heldout.jsonl", Document)
    drops = selected.read("drops.jsonl", SelectionDrop)
    assert len(train) + len(heldout) + len(drops) == report.steps["extracted"].documents == 42
    assert not {each.unit for each in train} & {each.unit for each in heldout}
    assert {each.unit for each in heldout} == set(report.heldout_units)
    assert report.dropped["too_short"] == {"made": 1}
    assert sum(count for reason in report.dropped.values() for count in reason.values()) == len(drops) + 1
    left = [report.steps[step].documents for step in ("extracted", "quality", "exact_duplicate", "near_duplicate")]
    assert left == sorted(left, reverse=True)
    assert report.steps["train"].documents == len(train)


def test_duplicates_fall_to_the_smallest_id(corpus: DataConfig, make_folder: MakeFolder) -> None:
    config = replace(corpus, quality={"enabled": False})
    selected, report = select(config, make_folder)
    fallen = {each.document_id: (each.reason, each.survivor_id) for each in selected.read("drops.jsonl", SelectionDrop)}
    assert fallen == {"d00090": ("exact_duplicate", "d00005"), "d00091": ("near_duplicate", "d00006")}
    assert report.classifier_skipped == "quality.enabled is false"
    assert report.num_near_clusters == 1


def test_a_repeated_id_is_dropped_and_counted(tmp_path: Path, corpus: DataConfig, make_folder: MakeFolder) -> None:
    write_corpus(tmp_path / "more.jsonl", [document(3, unit="elsewhere", text=document(77).text)])
    _, report = select(corpus, make_folder)
    assert report.dropped["repeated_id"] == {"made": 1}


def test_finished_shards_are_kept_and_damaged_ones_made_again(corpus: DataConfig, make_folder: MakeFolder) -> None:
    folder = extract(corpus, make_folder("corpora"))
    whole, cut = folder.path / "documents-00000.jsonl", folder.path / "documents-00001.jsonl"
    before, expected = whole.stat().st_mtime_ns, cut.read_bytes()
    cut.write_bytes(expected[: len(expected) // 2])
    extract(corpus, folder)
    assert whole.stat().st_mtime_ns == before
    assert cut.read_bytes() == expected


def test_nothing_left_is_an_error_with_reasons_and_leaves_the_folder_open(
    corpus: DataConfig, make_folder: MakeFolder
) -> None:
    folder = make_folder("corpora")
    with pytest.raises(ValueError, match=r"after extraction; dropped: too_short 43\. Loosen data\.filters"):
        extract(replace(corpus, filters={"min_characters": 10_000}), folder)
    assert not (folder.path / "report.json").exists()
    assert len(folder.read("drops-00000.jsonl", Drop)) + len(folder.read("drops-00001.jsonl", Drop)) == 43


def test_nothing_left_after_selection_is_an_error(tmp_path: Path, corpus: DataConfig, make_folder: MakeFolder) -> None:
    (tmp_path / "one.txt").write_text(document(0).text)
    config = replace(corpus, source=SourceConfig(name="local_files", paths=(str(tmp_path / "one.txt"),)))
    with pytest.raises(ValueError, match=r"1 documents are of 1 unit"):
        select(config, make_folder)


def test_tokenizer_heldout_and_shards_follow(corpus: DataConfig, make_folder: MakeFolder) -> None:
    selected, report = select(corpus, make_folder)
    tokenizer, heldout, packed = make_folder("tokenizers"), make_folder("heldout"), make_folder("shards")
    assert stages.make_tokenizer(corpus, selected, tokenizer).vocab_size == 320
    assert stages.make_heldout(selected, tokenizer, heldout).num_documents == report.steps["heldout"].documents
    facts = stages.make_shards(corpus, selected, tokenizer, packed)
    assert facts.num_documents == report.steps["train"].documents
    assert Shards.open(packed.path).facts == facts
    assert HeldOut(heldout.path).documents() == selected.read("heldout.jsonl", Document)
