"""An epoch shows every kind of text by its weight, in an order that knows nothing of shards."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.data import epoch
from glam.data.draws import draw
from glam.data.epoch import ENCODED, EncodedIndex, plan_epoch
from glam.data.shards import KindShare

NAMES = ("books", "web", "wiki")
Sizes = Sequence[tuple[int, int]]
WEB_AND_WIKI = [(1, 10)] * 80 + [(2, 10)] * 20


def index_of(sizes: Sizes, shards: Sequence[int] | None = None) -> EncodedIndex:
    """Documents of (kind, tokens), document n starting at token n; `shards`: where each lies."""
    index = np.zeros(len(sizes), ENCODED)
    for number, (source, num_tokens) in enumerate(sizes):
        index[number] = (draw(f"d{number}"), number, num_tokens, source)
    place = np.zeros(len(sizes), int) if shards is None else np.array(shards)
    parts = [np.sort(index[place == shard], order="draw") for shard in range(place.max() + 1)]
    return EncodedIndex(parts, [NAMES] * len(parts))


def epoch_of(
    index: EncodedIndex, weights: Mapping[str, float] | None, max_repeats: int = 4
) -> tuple[list[int], tuple[KindShare, ...]]:
    """(numbers of documents in the order of the epoch, what each kind gives)."""
    planned = plan_epoch(index, weights, max_repeats=max_repeats)
    order = [start for located in planned.documents() for start in located["start"].tolist()]
    assert len(order) == planned.num_documents
    return order, planned.kinds


def tokens_of(sizes: Sizes, order: list[int], source: int) -> int:
    return sum(sizes[number][1] for number in order if sizes[number][0] == source)


def test_without_weights_every_document_stands_once() -> None:
    order, kinds = epoch_of(index_of(WEB_AND_WIKI), None)
    assert sorted(order) == list(range(100))
    assert order != sorted(order)
    assert [(kind.name, kind.weight, kind.repeats) for kind in kinds] == [("web", 0.8, 1.0), ("wiki", 0.2, 1.0)]


def test_a_kind_with_too_little_repeats_and_one_with_too_much_gives_a_part() -> None:
    order, kinds = epoch_of(index_of(WEB_AND_WIKI), {"web": 0.5, "wiki": 0.5})
    web, wiki = kinds
    assert (
        (web.tokens_of_epoch, wiki.tokens_of_epoch)
        == (500, 500)
        == tuple(tokens_of(WEB_AND_WIKI, order, source) for source in (1, 2))
    )
    counts = np.bincount(order, minlength=100)
    assert set(counts[:80]) == {0, 1}
    assert set(counts[80:]) == {2, 3}
    assert wiki.repeats == 2.5


def test_repeats_are_bounded_and_shown() -> None:
    _, kinds = epoch_of(index_of(WEB_AND_WIKI), {"web": 0.1, "wiki": 0.9}, max_repeats=2)
    assert [(kind.weight, kind.tokens_of_epoch) for kind in kinds] == [(0.1, 100), (0.9, 400)]


def test_a_missing_kind_leaves_its_weight_to_the_others() -> None:
    index = index_of(WEB_AND_WIKI)
    _, kinds = epoch_of(index, {"web": 0.3, "wiki": 0.1, "books": 0.6})
    assert [(kind.name, kind.weight) for kind in kinds] == [("web", pytest.approx(0.75)), ("wiki", pytest.approx(0.25))]
    with pytest.raises(ValueError, match=r"no kind of text that is there \(web, wiki\) has a weight"):
        epoch_of(index, {"books": 1.0})


def test_a_kind_of_weight_zero_is_left_out() -> None:
    order, kinds = epoch_of(index_of(WEB_AND_WIKI), {"web": 1.0, "wiki": 0.0})
    assert tokens_of(WEB_AND_WIKI, order, 2) == 0
    assert kinds[1].tokens_of_epoch == 0


documents = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=3, max_size=30)
weights = st.none() | st.fixed_dictionaries({name: st.floats(0.1, 1) for name in NAMES})


@given(documents, weights, st.data())
def test_the_epoch_depends_neither_on_where_documents_lie_nor_on_how_many_are_taken_at_once(
    sizes: Sizes, asked: Mapping[str, float] | None, data: st.DataObject
) -> None:
    shards = data.draw(st.lists(st.integers(0, 3), min_size=len(sizes), max_size=len(sizes)))
    order, kinds = epoch_of(index_of(sizes), asked, max_repeats=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epoch, "AT_ONCE", data.draw(st.integers(1, 10)))
        assert epoch_of(index_of(sizes, shards), asked, max_repeats=3) == (order, kinds)
    for kind in kinds:
        assert kind.tokens_of_epoch == tokens_of(sizes, order, NAMES.index(kind.name)) <= 3 * kind.num_tokens
