"""What training text shares with text that models are judged by is found and counted."""

import json
from pathlib import Path

import numpy as np
import pytest

from glam.config import OverlapConfig
from glam.data.benchmarks import examples, identity
from glam.data.overlap import benchmark_overlap, found_ngrams, heldout_overlap, known_ngrams, touches
from tests.data.conftest import prose

SHARED = " ".join(f"w{number}" for number in range(20))
TRAIN = [f"start {SHARED} end", prose(9)]


def trained(judged: list[str], train: list[str]) -> np.ndarray:
    known = known_ngrams(judged, 13)
    return known[found_ngrams(known, train, 13)]


def test_overlap_counts_shared_ngrams_and_the_documents_that_hold_them() -> None:
    heldout = [SHARED, SHARED + " " + prose(5), prose(3), "hi"]
    found = heldout_overlap(heldout, trained(heldout, TRAIN), 13)
    assert found.num_documents == 3
    assert found.document_fraction == pytest.approx(2 / 3)
    assert found.mostly_overlapping_fraction == pytest.approx(1 / 3)
    assert found.ngram_fraction == pytest.approx(16 / found.num_ngrams)


def test_overlap_of_nothing_is_unknown_not_zero() -> None:
    found = heldout_overlap(["too short"], trained(["too short"], TRAIN), 13)
    assert (found.document_fraction, found.ngram_fraction) == (None, None)
    assert heldout_overlap([prose(3)], trained([prose(3)], []), 13).ngram_fraction == 0


def test_an_example_is_touched_by_one_ngram_and_short_ones_are_unknown() -> None:
    texts = [prose(1), f"Question: {SHARED}?", "Yes or no?"]
    found = benchmark_overlap("quiz", texts, trained(texts, TRAIN), 13)
    assert (found.num_examples, found.num_short, found.num_touched, found.touched_fraction) == (3, 1, 1, 0.5)
    assert benchmark_overlap("quiz", ["short"], trained(["short"], TRAIN), 13).touched_fraction is None
    assert touches(known_ngrams(texts, 13), TRAIN[0], 13)
    assert not touches(known_ngrams(texts, 13), TRAIN[1], 13)


def test_benchmarks_are_named_by_file_or_folder_and_known_by_content(tmp_path: Path) -> None:
    (tmp_path / "piqa").mkdir()
    lines = json.dumps({"goal": "a b", "choices": ["c", {"text": "d"}], "label": 1}) + "\n"
    (tmp_path / "piqa" / "eval.jsonl").write_text(lines)
    (tmp_path / "boolq.jsonl").write_text(lines)
    config = OverlapConfig(benchmarks=(str(tmp_path / "**" / "*.jsonl"),))
    assert examples(config) == {"boolq": ["a b\nc\nd"], "piqa": ["a b\nc\nd"]}
    before = identity(config)
    (tmp_path / "boolq.jsonl").write_text(lines * 2)
    assert identity(config) != before


def test_a_broken_benchmark_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "quiz.jsonl").write_text('{"a": "b"}\n{"a": \n')
    with pytest.raises(ValueError, match=r"quiz\.jsonl line 2 is no JSON"):
        examples(OverlapConfig(benchmarks=(str(tmp_path / "quiz.jsonl"),)))
    with pytest.raises(ValueError, match=r"matches no file"):
        examples(OverlapConfig(benchmarks=(str(tmp_path / "none.jsonl"),)))
