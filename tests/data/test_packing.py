"""An epoch shows every kind of text by its weight, in an order that knows nothing of shards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.data.draws import draw
from glam.data.packing import ENCODED, epoch_order


def index_of(sizes: list[tuple[int, int]]) -> np.ndarray:
    """Documents of (kind, tokens)."""
    index = np.zeros(len(sizes), ENCODED)
    for number, (source, num_tokens) in enumerate(sizes):
        index[number] = (draw(f"d{number}"), 0, num_tokens, source)
    return index


def tokens_of(index: np.ndarray, order: np.ndarray, source: int) -> int:
    taken = index[order]
    return int(taken["num_tokens"][taken["source"] == source].sum())


WEB_AND_WIKI = index_of([(0, 10)] * 80 + [(1, 10)] * 20)


def test_without_weights_every_document_stands_once() -> None:
    order, kinds = epoch_order(WEB_AND_WIKI, ["web", "wiki"], None, max_repeats=4)
    assert sorted(order.tolist()) == list(range(100))
    assert order.tolist() != sorted(order.tolist())
    assert [(kind.name, kind.weight, kind.repeats) for kind in kinds] == [("web", 0.8, 1.0), ("wiki", 0.2, 1.0)]


def test_a_kind_with_too_little_repeats_and_one_with_too_much_gives_a_part() -> None:
    order, kinds = epoch_order(WEB_AND_WIKI, ["web", "wiki"], {"web": 0.5, "wiki": 0.5}, max_repeats=4)
    web, wiki = kinds
    assert (
        (web.tokens_of_epoch, wiki.tokens_of_epoch)
        == (500, 500)
        == tuple(tokens_of(WEB_AND_WIKI, order, source) for source in (0, 1))
    )
    counts = np.bincount(order, minlength=100)
    assert set(counts[:80]) == {0, 1}
    assert set(counts[80:]) == {2, 3}
    assert wiki.repeats == 2.5


def test_repeats_are_bounded_and_shown() -> None:
    _, kinds = epoch_order(WEB_AND_WIKI, ["web", "wiki"], {"web": 0.1, "wiki": 0.9}, max_repeats=2)
    assert [(kind.weight, kind.tokens_of_epoch) for kind in kinds] == [(0.1, 100), (0.9, 400)]


def test_a_missing_kind_leaves_its_weight_to_the_others() -> None:
    _, kinds = epoch_order(WEB_AND_WIKI, ["web", "wiki"], {"web": 0.3, "wiki": 0.1, "books": 0.6}, max_repeats=4)
    assert [(kind.name, kind.weight) for kind in kinds] == [("web", pytest.approx(0.75)), ("wiki", pytest.approx(0.25))]
    with pytest.raises(ValueError, match=r"no kind of text that is there \(web, wiki\) has a weight"):
        epoch_order(WEB_AND_WIKI, ["web", "wiki"], {"books": 1.0}, max_repeats=4)


def test_a_kind_of_weight_zero_is_left_out() -> None:
    order, kinds = epoch_order(WEB_AND_WIKI, ["web", "wiki"], {"web": 1.0, "wiki": 0.0}, max_repeats=4)
    assert tokens_of(WEB_AND_WIKI, order, 1) == 0
    assert kinds[1].tokens_of_epoch == 0


documents = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=3, max_size=30)


@given(documents, st.tuples(st.floats(0.1, 1), st.floats(0.1, 1), st.floats(0.1, 1)), st.randoms())
def test_the_epoch_does_not_depend_on_where_documents_lie(
    sizes: list[tuple[int, int]], weights: tuple[float, float, float], random
) -> None:
    names = ["a", "b", "c"]
    index = index_of(sizes)
    places = list(range(len(sizes)))
    random.shuffle(places)
    asked = dict(zip(names, weights, strict=True))
    order, kinds = epoch_order(index, names, asked, max_repeats=3)
    moved, same_kinds = epoch_order(index[places], names, asked, max_repeats=3)
    assert index["draw"][order].tolist() == index[places]["draw"][moved].tolist()
    assert kinds == same_kinds
    for kind in kinds:
        assert kind.tokens_of_epoch == tokens_of(index, order, names.index(kind.name)) <= 3 * kind.num_tokens
