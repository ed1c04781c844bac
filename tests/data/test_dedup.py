"""Near duplicates find each other; clusters depend on the texts alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.config import DedupConfig
from glam.data.dedup import bands, exact_clusters, near_clusters, signatures
from tests.data.conftest import prose

CONFIG = DedupConfig()


def test_equal_texts_are_exact_duplicates_whatever_their_case_and_spaces() -> None:
    assert exact_clusters(["One two.", "three", "one  TWO", "three", "!!", "??"]).tolist() == [0, 1, 0, 1, 4, 5]


def test_near_duplicates_share_a_cluster_and_others_do_not() -> None:
    texts = [prose(0), prose(1), prose(0) + " and a tail", prose(2), prose(0).upper()]
    assert near_clusters(signatures(texts, CONFIG), CONFIG).tolist() == [0, 1, 0, 3, 0]


def test_short_texts_are_near_duplicates_only_of_their_like() -> None:
    texts = ["a b", "a c", "A b!", "", "?", "?"]
    assert near_clusters(signatures(texts, CONFIG), CONFIG).tolist() == [0, 1, 0, 3, 4, 4]


def test_a_signature_does_not_depend_on_its_neighbours() -> None:
    texts = [prose(number) for number in range(5)]
    together = signatures(texts, CONFIG)
    assert np.array_equal(together, np.concatenate([signatures([text], CONFIG) for text in texts]))
    assert signatures([], CONFIG).shape == (0, CONFIG.num_permutations)
    assert near_clusters(signatures([], CONFIG), CONFIG).tolist() == []


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.randoms())
def test_clusters_are_a_partition_that_does_not_depend_on_the_order(kinds: list[int], random) -> None:
    config = DedupConfig(num_permutations=16)
    sorts = signatures([prose(kind, 30) for kind in range(4)], config)
    order = list(range(len(kinds)))
    random.shuffle(order)
    clusters = near_clusters(sorts[kinds], config)
    shuffled = near_clusters(sorts[[kinds[place] for place in order]], config)
    assert (clusters[clusters] == clusters).all()
    assert (clusters <= np.arange(len(kinds))).all()
    for place, other in enumerate(order):
        for place2, other2 in enumerate(order):
            assert (shuffled[place] == shuffled[place2]) == (clusters[other] == clusters[other2])


@pytest.mark.parametrize("jaccard", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_put_the_threshold_where_it_was_asked_for(jaccard: float) -> None:
    num_bands, rows = bands(DedupConfig(jaccard=jaccard))
    assert num_bands * rows <= 128
    assert (1 / num_bands) ** (1 / rows) == pytest.approx(jaccard, abs=0.03)
