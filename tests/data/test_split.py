"""Whole units are held out, the same ones whatever the order of the documents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.config import SplitConfig
from glam.data import split
from glam.data.draws import draw
from glam.data.split import heldout_units


def held_out(unit_bytes: list[tuple[str, int]], config: SplitConfig) -> set[str]:
    """Names of the units that are held out, of (unit, bytes) by document."""
    names = {draw(unit, config.seed): unit for unit, _ in unit_bytes}
    keys = np.array([draw(unit, config.seed) for unit, _ in unit_bytes], np.uint64)
    sizes = np.array([size for _, size in unit_bytes], np.int64)
    parts = [(keys[start : start + 7], sizes[start : start + 7]) for start in range(0, len(keys), 7)]
    return {names[int(key)] for key in heldout_units(lambda: parts, config)}


@given(st.lists(st.integers(1, 50), min_size=2, max_size=30), st.integers(0, 5))
def test_some_units_but_never_all_are_held_out_in_any_order(unit_sizes: list[int], seed: int) -> None:
    documents = [(f"u{number}", size) for number, size in enumerate(unit_sizes)]
    config = SplitConfig(heldout_fraction=0.2, seed=seed)
    assert 0 < len(held_out(documents, config)) < len(unit_sizes)
    assert held_out(documents, config) == held_out(documents[::-1], config)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 50)), min_size=12, max_size=40), st.integers(1, 40))
def test_the_units_do_not_depend_on_how_many_are_summed_up_at_once(sizes: list[tuple[int, int]], at_once: int) -> None:
    documents = [("a", 1), ("b", 1), *((f"u{unit}", size) for unit, size in sizes)]
    expected = held_out(documents, SplitConfig(heldout_fraction=0.3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "AT_ONCE", at_once)
        assert held_out(documents, SplitConfig(heldout_fraction=0.3)) == expected


def test_the_held_out_share_is_about_as_asked_and_never_above_its_limit() -> None:
    documents = [(f"u{number // 3}", 1000) for number in range(300)]
    config = SplitConfig(heldout_fraction=0.1)
    found = held_out(documents, config)
    assert 25 <= sum(unit in found for unit, _ in documents) <= 35
    assert found != held_out(documents, SplitConfig(heldout_fraction=0.1, seed=1))
    assert len(held_out(documents, SplitConfig(heldout_fraction=0.1, max_megabytes=0.006))) == 2


def test_one_unit_cannot_be_split() -> None:
    with pytest.raises(ValueError, match=r"2 documents are of 1 unit\(s\); .* at least two"):
        held_out([("only", 5), ("only", 6)], SplitConfig())
