"""From files to shards: the result depends on the text and the config, not on how it was made."""

import json
import random
from pathlib import Path
from typing import TypeVar

import pytest

from glam.config import DataConfig, SourceConfig, replace
from glam.data import stages
from glam.data.heldout import HeldOut
from glam.data.report import SelectionDrop, SelectionReport
from glam.data.shards import Shards
from glam.data.sources import plan_shards
from glam.records import Document, Drop, Record
from glam.store import Folder, Store
from tests.data.conftest import KilledError, MakeFolder, document, prepare_here, write_corpus


def extract(config: DataConfig, folder: Folder, *, seed: int = 0) -> Folder:
    """Runs the shards in a random order."""
    shards = list(enumerate(plan_shards(config.source)))
    random.Random(seed).shuffle(shards)
    for shard, units in shards:
        stages.extract_shard(config.filters, shard, units, folder)
    stages.finish_extraction(config, sum(len(units) for _, units in shards), folder)
    return folder


def select(
    config: DataConfig, make_folder: MakeFolder, *, seed: int = 0, judged: Folder | None = None
) -> tuple[Folder, SelectionReport]:
    extracted = extract(config, make_folder("corpora"), seed=seed)
    classifier, selected = make_folder("classifiers"), make_folder("corpora")
    stages.make_classifier(config, extracted, classifier)
    shards = list(range(config.source.num_shards))
    random.Random(seed).shuffle(shards)
    for shard in shards:
        stages.measure_shard(config, shard, extracted, classifier, selected)
    if judged is not None:
        stages.measure_guests(config, judged, selected)
    for partition in shards:
        stages.match_partition(config, partition, selected)
    stages.decide(config, extracted, judged, selected)
    stages.index_benchmarks(config, selected)
    for shard in shards:
        stages.carry_out(config, shard, extracted, selected)
    stages.index_judged_text(config, judged, selected)
    for shard in shards:
        stages.search_shard(config, shard, selected)
    return selected, stages.finish_selection(config, extracted, classifier, judged, selected)


RecordT = TypeVar("RecordT", bound=Record)


def together(folder: Folder, side: str, kind: type[RecordT]) -> list[RecordT]:
    """Records of one side of all shards."""
    return [each for path in sorted(folder.path.glob(f"{side}-*.jsonl")) for each in folder.read(path.name, kind)]


def outcome(config: DataConfig, make_folder: MakeFolder, seed: int) -> list[object]:
    """What selection and packing make, but for where it lies."""
    selected, report = select(config, make_folder, seed=seed)
    tokenizer, packed = make_folder("tokenizers"), make_folder("shards")
    stages.make_tokenizer(config, selected, tokenizer)
    for shard in range(config.source.num_shards):
        stages.encode_documents(shard, selected, tokenizer, packed)
    stages.pack_rows(config, tokenizer, packed)
    lists = [
        sorted(together(selected, side, kind), key=lambda each: each.model_dump_json())
        for side, kind in (("train", Document), ("heldout", Document), ("drops", SelectionDrop))
    ]
    files = {path.name: path.read_bytes() for path in packed.path.iterdir() if path.name != "state.json"}
    return [*lists, report, (selected.path / "examples.jsonl").read_bytes(), files]


def test_kept_documents_depend_neither_on_shards_nor_on_their_order(
    corpus: DataConfig, make_folder: MakeFolder
) -> None:
    made = [
        outcome(replace(corpus, source={"num_shards": num_shards}), make_folder, seed)
        for num_shards, seed in ((1, 0), (2, 1), (3, 2), (9, 3))
    ]
    assert all(each == made[0] for each in made)


def test_every_document_is_kept_or_dropped_with_a_reason(corpus: DataConfig, make_folder: MakeFolder) -> None:
    selected, report = select(corpus, make_folder)
    train, heldout = together(selected, "train", Document), together(selected, "heldout", Document)
    drops = together(selected, "drops", SelectionDrop)
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
    fallen = {each.document_id: (each.reason, each.survivor_id) for each in together(selected, "drops", SelectionDrop)}
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
    held_out = stages.make_heldout(corpus, selected, tokenizer, heldout)
    assert held_out.num_documents == report.steps["heldout"].documents
    for shard in range(corpus.source.num_shards):
        stages.encode_documents(shard, selected, tokenizer, packed)
    facts = stages.pack_rows(corpus, tokenizer, packed)
    assert facts.num_documents == report.steps["train"].documents
    assert Shards.open(packed.path).facts == facts
    assert sorted(path.name for path in packed.path.iterdir()) == [
        *("documents.npy", "shards.json", "state.json", "tokens-00000.bin")
    ]
    by_id = sorted(together(selected, "heldout", Document), key=lambda each: each.id)
    assert HeldOut(heldout.path).documents() == by_id


def test_training_text_that_touches_a_benchmark_is_counted_or_dropped(
    tmp_path: Path, corpus: DataConfig, make_folder: MakeFolder
) -> None:
    _, plain = select(corpus, make_folder)
    train = together(select(corpus, make_folder)[0], "train", Document)
    (tmp_path / "quiz").mkdir()
    (tmp_path / "quiz" / "test.jsonl").write_text(
        json.dumps({"question": train[0].text}) + "\n" + '{"question": "?"}\n'
    )
    judged = {"benchmarks": (str(tmp_path / "quiz" / "*.jsonl"),)}
    _, counted = select(replace(corpus, overlap=judged), make_folder)
    selected, dropped = select(replace(corpus, overlap={**judged, "policy": "drop"}), make_folder)
    (quiz,) = counted.benchmarks
    assert (quiz.task, quiz.num_examples, quiz.num_short, quiz.num_touched) == ("quiz", 2, 1, 1)
    assert counted.steps == plain.steps
    assert dropped.benchmarks[0].num_touched == 0
    assert dropped.dropped["benchmark_overlap"] == {"made": 1}
    assert train[0] not in together(selected, "train", Document)


def test_a_preparation_judged_as_another_trains_on_none_of_its_held_out_text(
    tmp_path: Path, corpus: DataConfig, make_folder: MakeFolder
) -> None:
    selected, _ = select(corpus, make_folder)
    held_out = together(selected, "heldout", Document)
    copy = document(1, unit="elsewhere", text=held_out[0].text + " Another end.").model_copy(update={"id": "a-copy"})
    write_corpus(tmp_path / "more.jsonl", [copy])
    unfiltered = replace(corpus, quality={"enabled": False}, judged_as=corpus)
    other, _ = select(unfiltered, make_folder, judged=selected)
    drops = {each.document_id: each.survivor_id for each in together(other, "drops", SelectionDrop)}
    assert drops["a-copy"] == held_out[0].id
    assert {each.id for each in held_out} <= {each.id for each in together(other, "heldout", Document)}
    assert not {each.unit for each in held_out} & {each.unit for each in together(other, "train", Document)}


def test_text_that_another_preparation_holds_out_is_not_trained_on_under_another_name(
    tmp_path: Path, corpus: DataConfig, make_folder: MakeFolder
) -> None:
    selected, _ = select(corpus, make_folder)
    held_out = together(selected, "heldout", Document)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    copies = [document(500 + n, unit=f"mirror{n}", text=each.text + " End.") for n, each in enumerate(held_out)]
    write_corpus(mirror / "a.jsonl", [*copies, *(document(600 + number, unit=f"new{number}") for number in range(9))])
    elsewhere = replace(corpus, source={"paths": (str(mirror),)}, quality={"enabled": False}, judged_as=corpus)
    other, report = select(elsewhere, make_folder, judged=selected)
    drops = {each.document_id: (each.reason, each.survivor_id) for each in together(other, "drops", SelectionDrop)}
    assert drops == {copy.id: ("near_duplicate", each.id) for copy, each in zip(copies, held_out, strict=True)}
    assert report.overlap.num_documents == len(held_out)
    assert report.overlap.document_fraction == 0.0


def test_ids_that_name_no_document_are_refused(tmp_path: Path, corpus: DataConfig, make_folder: MakeFolder) -> None:
    write_corpus(tmp_path / "more.jsonl", [document(number, text=document(200 + number).text) for number in range(5)])
    with pytest.raises(ValueError, match=r"5 of 47 documents repeat the id .* Leave the field `id` out"):
        select(corpus, make_folder)


def test_which_of_two_documents_of_an_id_stays_depends_on_no_shard(
    tmp_path: Path, corpus: DataConfig, make_folder: MakeFolder
) -> None:
    write_corpus(tmp_path / "more.jsonl", [document(3, unit="elsewhere", text=document(3).text + " ")])
    configs = [replace(corpus, source={"num_shards": number}) for number in (1, 2, 3, 5)]
    kept = [
        {
            (each.id, each.unit)
            for side in ("train", "heldout")
            for each in together(select(config, make_folder)[0], side, Document)
        }
        for config in configs
    ]
    assert all(each == kept[0] for each in kept)


def test_models_are_judged_by_curated_text_alone_where_that_is_asked(
    corpus: DataConfig, make_folder: MakeFolder
) -> None:
    selected, report = select(replace(corpus, split={"curated_only": True}), make_folder)
    held_out = together(selected, "heldout", Document)
    assert held_out
    assert all(each.curated for each in held_out)
    assert not set(report.heldout_units) & {each.unit for each in together(selected, "train", Document)}
    assert report.dropped["heldout_unit"]["made"] > 0
    with pytest.raises(ValueError, match=r"curated documents hold \d+ bytes, .*curated_only=false"):
        select(replace(corpus, split={"curated_only": True, "heldout_fraction": 0.9}), make_folder)


def test_a_preparation_killed_anywhere_ends_in_the_same_bytes(corpus: DataConfig, tmp_path: Path) -> None:
    def contents(store: Store) -> dict[str, bytes]:
        return {
            str(path.relative_to(store.root)): path.read_bytes()
            for path in store.root.rglob("*")
            if path.is_file() and path.name not in ("state.json", "manifest.json") and path.suffix != ".lock"
        }

    whole = Store(tmp_path / "whole")
    prepare_here(corpus, whole)
    often_killed, num_kills = Store(tmp_path / "killed"), 0
    while True:
        try:
            prepare_here(corpus, often_killed, kill_after=1 + num_kills)
            break
        except KilledError:
            num_kills += 1
            for path in often_killed.root.rglob("*.jsonl"):
                path.with_name(path.name + ".partial").write_bytes(b"half a li")
    assert num_kills > 5
    assert {name: data for name, data in contents(often_killed).items() if ".partial" not in name} == contents(whole)
