"""Units, shards and readers: nothing is lost without a counted reason."""

import json
from pathlib import Path

import pytest

from glam.config import SourceConfig
from glam.data.readers import read_unit
from glam.data.sources import plan_shards, source
from glam.data.streams import MAX_BYTES
from glam.data.units import SourceFile, Unit
from glam.records import Document, Drop

SMALL_DOCS = SourceConfig(max_megabytes=0.4, num_shards=3)


def read(path: Path) -> list[Document | Drop]:
    config = SourceConfig(name="local_files", paths=(str(path),))
    return [each for unit in source("local_files").units(config) for each in read_unit(unit)]


def reasons(path: Path) -> list[str]:
    return [each.reason for each in read(path) if isinstance(each, Drop)]


@pytest.fixture(scope="module")
def units() -> list[Unit]:
    return source("python_docs").units(SourceConfig())


def test_chosen_units_are_each_in_one_shard_and_no_more_text_than_asked_for() -> None:
    shards = plan_shards(SMALL_DOCS)
    chosen = [unit for shard in shards for unit in shard]
    assert len(shards) == 3
    assert len({unit.name for unit in chosen}) == len(chosen)
    assert 0.35e6 < sum(unit.size_bytes for unit in chosen) <= 0.4e6


def test_every_unit_is_chosen_where_there_is_no_limit(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.txt").write_text("word " * 10**number)
    config = SourceConfig(name="local_files", paths=(str(tmp_path),), num_shards=3)
    assert sorted(len(shard) for shard in plan_shards(config)) == [1, 1, 5]


def test_units_of_python_docs_have_unique_names_and_files(units: list[Unit]) -> None:
    files = [part.name for unit in units for part in unit.parts if isinstance(part, SourceFile)]
    assert len({unit.name for unit in units}) == len(units)
    assert len(set(files)) == len(files)
    assert {"python.json", "scipy.stats", "torch.nn", "streamlit"} <= {unit.name for unit in units}
    assert sum(unit.size_bytes for unit in units) > 24e6


def test_python_docs_are_dedented_docstrings_with_the_names_of_their_objects(units: list[Unit]) -> None:
    (json_unit,) = (unit for unit in units if unit.name == "python.json")
    documents = [each for each in read_unit(json_unit) if isinstance(each, Document)]
    by_name = {each.name: each for each in documents}
    assert by_name["json.dumps"].text.startswith("Serialize ``obj`` to a JSON formatted ``str``.")
    assert "\n\nIf ``skipkeys``" in by_name["json.dumps"].text
    assert by_name["json"].curated
    assert {each.source for each in documents} == {"docstring"}
    assert len({each.id for each in documents}) == len(documents)


def test_no_room_for_any_unit_is_an_error_that_names_the_smallest(tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("word " * 1000)
    config = SourceConfig(name="local_files", paths=(str(tmp_path),), max_megabytes=0.001)
    with pytest.raises(ValueError, match=r"max_megabytes=0.001 has no room .* 0.005 MB"):
        plan_shards(config)


def test_a_file_that_gives_no_document_is_a_drop_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("déjà".encode("latin-1"))
    (tmp_path / "nothing.md").write_text(" \n")
    with open(tmp_path / "huge.rst", "wb") as huge:
        huge.truncate(MAX_BYTES + 1)
    (tmp_path / "good.txt").write_text("text")
    assert sorted(reasons(tmp_path)) == ["empty", "not_utf8", "oversized"]
    assert [each.text for each in read(tmp_path) if isinstance(each, Document)] == ["text"]


def test_a_broken_json_line_is_a_drop_and_the_others_are_read(tmp_path: Path) -> None:
    lines = [
        b'{"text": "first", "id": "one", "unit": "book", "curated": true}',
        b'{"text": "cut off',
        b'{"body": "no text"}',
        b'{"text": "half a pair: \\ud800"}',
        b'{"text": "another type", "curated": [1]}',
        b"\xff\xfe",
        b'{"text": ""}',
        b"",
        b'{"text": "last"}',
    ]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    assert reasons(tmp_path) == ["bad_json", "bad_record", "not_utf8", "bad_record", "not_utf8", "empty"]
    first, last = (each for each in read(tmp_path) if isinstance(each, Document))
    assert (first.id, first.unit, first.curated) == ("one", "book", True)
    assert last.unit == last.id


def test_copies_of_a_file_have_different_ids(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.jsonl", "d.jsonl"):
        text = "same" if name.endswith("txt") else json.dumps({"text": "same"})
        (tmp_path / name).write_text(text)
    documents = [each for each in read(tmp_path) if isinstance(each, Document)]
    assert len({each.id for each in documents}) == 4


def test_a_file_changed_while_it_is_prepared_is_an_error(tmp_path: Path) -> None:
    for name, text in (("a.txt", "before"), ("a.jsonl", '{"text": "before"}')):
        path = tmp_path / name
        path.write_text(text)
        units = source("local_files").units(SourceConfig(name="local_files", paths=(str(path),)))
        path.write_text(text.replace("before", "after"))
        with pytest.raises(ValueError, match=f"{name} was changed"):
            list(read_unit(units[0]))
