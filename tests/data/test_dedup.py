"""Near duplicates find each other; clusters depend on the texts alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.config import DedupConfig
from glam.data.dedup import band_keys, bands, clusters, join_clusters, signatures, text_hash
from glam.data.ledger import alike
from tests.data.conftest import prose

CONFIG = DedupConfig()


def near_clusters(signature_DP: np.ndarray, config: DedupConfig = CONFIG) -> list[int]:
    """Of each document the first of its cluster."""
    key_DB = band_keys(signature_DP, config)
    groups, members = alike(key_DB.ravel(), np.repeat(np.arange(len(key_DB)), key_DB.shape[1]))
    first = list(range(len(signature_DP)))
    labels, members = clusters(groups, members)
    for label, member in zip(labels, members, strict=True):
        first[member] = int(members[labels == label].min())
    return first


def test_equal_texts_have_one_hash_whatever_their_case_and_spaces() -> None:
    assert text_hash("One two.") == text_hash("one  TWO") != text_hash("one three")
    assert text_hash("!!") != text_hash("??")


def test_near_duplicates_share_a_cluster_and_others_do_not() -> None:
    texts = [prose(0), prose(1), prose(0) + " and a tail", prose(2), prose(0).upper()]
    assert near_clusters(signatures(texts, CONFIG)) == [0, 1, 0, 3, 0]


def test_short_texts_are_near_duplicates_only_of_their_like() -> None:
    texts = ["a b", "a c", "A b!", "", "?", "?"]
    assert near_clusters(signatures(texts, CONFIG)) == [0, 1, 0, 3, 4, 4]


def test_a_signature_does_not_depend_on_its_neighbours() -> None:
    texts = [prose(number) for number in range(5)]
    together = signatures(texts, CONFIG)
    assert np.array_equal(together, np.concatenate([signatures([text], CONFIG) for text in texts]))
    assert signatures([], CONFIG).shape == (0, CONFIG.num_permutations)
    assert near_clusters(signatures([], CONFIG)) == []


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.randoms())
def test_clusters_are_a_partition_that_does_not_depend_on_the_order(kinds: list[int], random) -> None:
    config = DedupConfig(num_permutations=16)
    sorts = signatures([prose(kind, 30) for kind in range(4)], config)
    order = list(range(len(kinds)))
    random.shuffle(order)
    found = near_clusters(sorts[kinds], config)
    shuffled = near_clusters(sorts[[kinds[place] for place in order]], config)
    assert all(found[first] == first <= place for place, first in enumerate(found))
    for place, other in enumerate(order):
        for place2, other2 in enumerate(order):
            assert (shuffled[place] == shuffled[place2]) == (found[other] == found[other2])


@pytest.mark.parametrize("jaccard", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_put_the_threshold_where_it_was_asked_for(jaccard: float) -> None:
    num_bands, rows = bands(DedupConfig(jaccard=jaccard))
    assert num_bands * rows <= 128
    assert (1 / num_bands) ** (1 / rows) == pytest.approx(jaccard, abs=0.03)


@given(st.lists(st.integers(0, 5), max_size=30))
def test_alike_finds_all_that_share_a_key_and_nothing_else(keys: list[int]) -> None:
    groups, numbers = alike(np.array(keys, np.uint64), np.arange(len(keys)))
    found = {tuple(sorted(numbers[groups == group].tolist())) for group in set(groups.tolist())}
    expected = {tuple(n for n, key in enumerate(keys) if key == each) for each in set(keys) if keys.count(each) > 1}
    assert found == expected


@given(st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=4, unique=True), max_size=15), st.integers(1, 5))
def test_clusters_joined_part_by_part_are_those_of_all_at_once(found: list[list[int]], per_part: int) -> None:
    parts = [found[start : start + per_part] for start in range(0, len(found), per_part)]
    first_D = np.zeros(20, np.int64)
    num_clusters = join_clusters(first_D, (_as_arrays(part) for part in parts), max)
    labels, members = clusters(*_as_arrays(found))
    sets = [set(members[labels == label].tolist()) for label in np.unique(labels)]
    expected = {member: max(each) for each in sets for member in each if len(each) > 1}
    assert {number: int(first) for number, first in enumerate(first_D) if first >= 0} == expected
    assert num_clusters == len(set(expected.values()))


def _as_arrays(groups: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    numbered = [(group, member) for group, members in enumerate(groups) for member in members]
    return np.array(numbered, np.int64).reshape(-1, 2)[:, 0], np.array(numbered, np.int64).reshape(-1, 2)[:, 1]
