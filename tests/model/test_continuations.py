"""A continuation's score is its own, whatever it is computed with; what contexts share is computed once."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glam.config import replace
from glam.model import prefix_tree
from glam.model.attention import fused_attention, fused_in_pieces
from glam.model.continuations import score_continuations
from glam.model.likelihood import score_rows
from glam.model.prefix_tree import MAX_BIASED_PAIRS, trees
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]
KINDS = {
    "rope": replace(TOY, positions="rope"),
    "t5_bias": replace(TOY, positions="t5_bias"),
    "t5_bias and an extra logit": replace(TOY, positions="t5_bias", extra_logit=True),
    "rope and an extra logit": replace(TOY, positions="rope", extra_logit=True),
    "dense": dense_twin(TOY),
}


def made(config) -> Transformer:
    model = Transformer(config)
    model.initialize(0)
    return model.double().eval()


@pytest.fixture(scope="module")
def model() -> Transformer:
    return made(KINDS["rope"])


def requests_of(seed: int, num_items: int, *, vocab_size: int = TOY.vocab_size) -> list[tuple[list[int], list[int]]]:
    """Items of a shared beginning, a context of their own and up to four continuations."""
    draw = np.random.default_rng(seed)
    beginnings = [draw.integers(0, vocab_size, draw.integers(1, 20)).tolist() for _ in range(2)]
    found = []
    for _ in range(num_items):
        context = beginnings[draw.integers(2)] + draw.integers(0, vocab_size, draw.integers(0, 15)).tolist()
        for _ in range(draw.integers(1, 5)):
            found.append((context, draw.integers(0, vocab_size, draw.integers(1, 8)).tolist()))
    return found


def expected(model: Transformer, request: tuple[list[int], list[int]]) -> tuple[float, bool]:
    context, continuation = request
    (scores,) = score_rows(model, [[*context, *continuation]])
    return -scores.nll[-len(continuation) :].sum(), bool(scores.greedy[-len(continuation) :].all())


@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_rows_scored_alone(kind: str) -> None:
    model = made(KINDS[kind])
    requests = requests_of(0, 6)
    for request, score in zip(requests, score_continuations(model, requests).scores, strict=True):
        likelihood, greedy = expected(model, request)
        assert score.log_likelihood == pytest.approx(likelihood, rel=1e-9)
        assert score.greedy == greedy


@given(seed=st.integers(0, 1000), budget=st.integers(1, 200), pairs=st.integers(0, 3000))
@settings(deadline=None, max_examples=30)
def test_neither_batch_nor_tree_nor_order_matters(model: Transformer, seed: int, budget: int, pairs: int) -> None:
    requests = requests_of(seed, 4)
    order = np.random.default_rng(seed).permutation(len(requests))
    straight = score_continuations(model, requests).scores
    with mock.patch.multiple(prefix_tree, MAX_PAIRS=pairs, MAX_BIASED_PAIRS=pairs):
        other = score_continuations(model, [requests[place] for place in order], max_batch_tokens=budget).scores
    for place, score in zip(order, other, strict=True):
        assert score.log_likelihood == pytest.approx(straight[place].log_likelihood, rel=1e-9)
        assert score.greedy == straight[place].greedy


def test_a_shared_context_is_computed_once(model: Transformer) -> None:
    context = list(range(30))
    found = score_continuations(model, [(context, [choice, 1]) for choice in (40, 41, 42, 43)])
    assert found.num_computed == 30 + 4  # the last id of each is only predicted


def test_rows_of_any_length_share_their_beginning() -> None:
    context = [7] * 4000
    (tree,) = trees([[*context, choice] for choice in range(4)], max_pairs=MAX_BIASED_PAIRS)
    assert len(tree.ids) == 4000 + 4


def test_contexts_that_share_little_are_computed_apart(model: Transformer) -> None:
    requests = [([0, *range(first, first + 10)], [1]) for first in (1, 20, 40)]
    assert score_continuations(model, requests).num_computed == 33
    assert len(list(trees([context for context, _ in requests], max_pairs=1_000_000))) == 3


def test_every_choice_of_an_expert_is_counted(model: Transformer) -> None:
    found = score_continuations(model, requests_of(3, 5))
    assert found.load_LE is not None
    assert found.load_LE.sum(axis=1).tolist() == [found.num_computed * TOY.top_k] * len(found.load_LE)


def test_a_dense_model_has_no_loads() -> None:
    assert score_continuations(made(KINDS["dense"]), [([0], [1])]).load_LE is None


@given(rows=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=30), min_size=1, max_size=12))
@settings(deadline=None, max_examples=50)
def test_every_row_can_be_read_along_its_path(rows: list[list[int]]) -> None:
    found = {}
    for tree in trees(rows, max_pairs=600):
        size = len(tree.ids)
        assert (size - tree.branches[0].length) * size <= 600
        for branch, path in zip(tree.branches, tree.path_of_branches, strict=True):
            found[branch.row] = [tree.ids[place] for place in path.tolist()]
            assert tree.depth_N[path].tolist() == list(range(len(path)))
            if tree.visible_NN is not None:
                seen = tree.visible_NN[path[-1]]
                assert sorted(path.tolist()) == torch.nonzero(seen).flatten().tolist()
    assert [found[row] for row in range(len(rows))] == rows


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (([], [1]), "0 ids of context"),
        (([1], []), "0 of continuation"),
        (([1], [9999]), "ids 1 to 9999"),
        (([0] * TOY.sequence_length, [1, 2]), "a row of the model reads"),
    ],
)
def test_what_cannot_be_scored_is_named(model: Transformer, request_, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_continuations(model, [([0], [1]), request_])


def test_nothing_asked_is_nothing_scored(model: Transformer) -> None:
    found = score_continuations(model, [])
    assert (found.scores, found.num_computed) == ([], 0)


@pytest.mark.parametrize("extra_logit", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_queries_in_pieces_are_what_all_at_once_are(biased: bool, extra_logit: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 3, 11, 4, generator=generator, dtype=torch.float64) for _ in range(3))
    bias_HS = torch.randn(3, 11, generator=generator, dtype=torch.float64) if biased else None
    whole = fused_attention(query, key, value, bias_HS=bias_HS, extra_logit=extra_logit)
    for at_once in (1, 4, 11, 64):
        pieces = fused_in_pieces(query, key, value, bias_HS=bias_HS, extra_logit=extra_logit, queries_at_once=at_once)
        assert torch.allclose(pieces, whole, rtol=0, atol=1e-12)
