"""Whole units are held out, the same ones whatever the order of the documents, and the overlap is counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.config import SplitConfig
from glam.data.overlap import overlap
from glam.data.split import heldout_units
from tests.data.conftest import document, prose

sizes = st.lists(st.integers(1, 50), min_size=2, max_size=30)


@given(sizes, st.integers(0, 5))
def test_some_units_but_never_all_are_held_out_in_any_order(unit_sizes: list[int], seed: int) -> None:
    documents = [document(n, unit=f"u{n}", text="x" * size) for n, size in enumerate(unit_sizes)]
    config = SplitConfig(heldout_fraction=0.2, seed=seed)
    held_out = heldout_units(documents, config)
    assert 0 < len(held_out) < len(unit_sizes)
    assert held_out == heldout_units(documents[::-1], config)


def test_the_held_out_share_is_about_as_asked() -> None:
    documents = [document(n, unit=f"u{n // 3}") for n in range(300)]
    held_out = heldout_units(documents, SplitConfig(heldout_fraction=0.1))
    assert 25 <= sum(each.unit in held_out for each in documents) <= 35
    assert held_out != heldout_units(documents, SplitConfig(heldout_fraction=0.1, seed=1))


def test_one_unit_cannot_be_split() -> None:
    with pytest.raises(ValueError, match=r"2 documents are of 1 unit\(s\) \(only\); .* at least two"):
        heldout_units([document(0, unit="only"), document(1, unit="only")], SplitConfig())


def test_overlap_counts_shared_ngrams_and_the_documents_that_hold_them() -> None:
    shared = " ".join(f"w{n}" for n in range(20))
    train = [document(0, text=f"start {shared} end")]
    heldout = [document(1, text=shared), document(2, text=shared + " " + prose(5)), document(3), document(4, text="hi")]
    found = overlap(train, heldout, ngram=13)
    assert found.num_documents == 3
    assert found.document_fraction == pytest.approx(2 / 3)
    assert found.mostly_overlapping_fraction == pytest.approx(1 / 3)
    assert found.ngram_fraction == pytest.approx(16 / found.num_ngrams)


def test_overlap_of_nothing_is_unknown_not_zero() -> None:
    found = overlap([document(0)], [document(1, text="too short")], ngram=13)
    assert (found.document_fraction, found.ngram_fraction) == (None, None)
    assert overlap([], [document(1)], ngram=13).ngram_fraction == 0
