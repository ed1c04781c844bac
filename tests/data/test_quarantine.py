"""Unreadable records are few, or the extraction ends with the first of them."""

import gzip
from pathlib import Path

import pytest

from glam.config import DataConfig, SourceConfig
from glam.data.extract import extract_shard, finish_extraction
from glam.data.report import ExtractionReport
from glam.data.sources import plan_shards
from glam.store import Folder
from tests.data.conftest import MakeFolder, document, write_corpus


def extract(source: SourceConfig, folder: Folder) -> ExtractionReport:
    config = DataConfig(source=source)
    shards = plan_shards(source)
    for shard, units in enumerate(shards):
        extract_shard(config.filters, shard, units, folder)
    return finish_extraction(config, sum(map(len, shards)), folder)


@pytest.fixture
def corpus(tmp_path: Path) -> SourceConfig:
    """98 documents, an empty record and two broken lines."""
    write_corpus(tmp_path / "good.jsonl", [document(number) for number in range(98)])
    (tmp_path / "bad.jsonl").write_bytes(b'{"text": ""}\n{"text": "cut\n{"text": "\xff"}\n')
    return SourceConfig(name="local_files", paths=(str(tmp_path),), num_shards=2, max_quarantined_fraction=0.02)


def test_a_small_share_is_counted_and_passed_over(corpus: SourceConfig, make_folder: MakeFolder) -> None:
    report = extract(corpus, make_folder("corpora"))
    assert report.dropped["bad_json"] == report.dropped["not_utf8"] == {"records": 1}
    assert report.read["made"].documents == 98


def test_a_larger_share_ends_the_extraction_with_file_line_and_advice(
    corpus: SourceConfig, make_folder: MakeFolder
) -> None:
    folder = make_folder("corpora")
    with pytest.raises(ValueError, match=r"2 of 100 records \(2\.00%\) .* cannot be read") as caught:
        extract(SourceConfig(**{**corpus.model_dump(), "max_quarantined_fraction": 0.01}), folder)
    for part in ("max_quarantined_fraction=0.01", "bad_json 1", "bad.jsonl line 2:", "bad.jsonl line 3:", "Mend"):
        assert part in str(caught.value)
    assert not (folder.path / "report.json").exists()
    assert extract(corpus, folder).read["made"].documents == 98  # another limit goes on where that one stopped


def test_a_file_that_is_lost_counts_as_a_file(tmp_path: Path, make_folder: MakeFolder) -> None:
    for part in range(4):
        write_corpus(tmp_path / "part.jsonl", [document(100 * part + number) for number in range(100)])
        packed = gzip.compress((tmp_path / "part.jsonl").read_bytes())
        (tmp_path / f"part{part}.jsonl.gz").write_bytes(packed[: len(packed) // 2] if part == 0 else packed)
    source = SourceConfig(name="local_files", paths=(str(tmp_path / "*.gz"),), num_shards=1)
    with pytest.raises(ValueError, match=r"among them 1 of 4 files to their end, cannot be read"):
        extract(source, make_folder("corpora"))


def test_what_rules_drop_is_no_quarantine(tmp_path: Path, make_folder: MakeFolder) -> None:
    write_corpus(tmp_path / "a.jsonl", [document(0), *(document(number, text="Short.") for number in range(1, 9))])
    report = extract(SourceConfig(name="local_files", paths=(str(tmp_path),), num_shards=1), make_folder("corpora"))
    assert report.dropped["too_short"] == {"made": 8}
