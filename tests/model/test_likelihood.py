"""The score of a row is its own, whatever it is batched with."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glam.model.likelihood import score_rows
from glam.model.transformer import Transformer
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]


@pytest.fixture(scope="module")
def model() -> Transformer:
    made = Transformer(TOY)
    made.initialize(0)
    return made.double()


def test_agrees_with_the_softmax_taken_one_token_at_a_time(model: Transformer) -> None:
    row = [0, 5, 17, 3]
    (scores,) = score_rows(model, [row])
    for place in range(1, len(row)):
        logits = model.eval()(torch.tensor([row[:place]])).logits_BSV[0, -1]
        assert scores.nll[place - 1] == pytest.approx(-logits.log_softmax(-1)[row[place]].item(), rel=1e-9)
        assert scores.greedy[place - 1] == (int(logits.argmax()) == row[place])


@given(lengths=st.lists(st.integers(2, 20), min_size=1, max_size=8), budget=st.integers(1, 60))
@settings(deadline=None, max_examples=25)
def test_batch_and_padding_do_not_matter(model: Transformer, lengths: list[int], budget: int) -> None:
    generator = np.random.default_rng(0)
    rows = [generator.integers(0, TOY.vocab_size, length).tolist() for length in lengths]
    together = score_rows(model, rows, max_batch_tokens=budget)
    for row, scores in zip(rows, together, strict=True):
        assert np.allclose(scores.nll, score_rows(model, [row])[0].nll, rtol=1e-9)
        assert len(scores.nll) == len(row) - 1


def test_probabilities_of_all_next_tokens_sum_to_one(model: Transformer) -> None:
    scores = score_rows(model, [[0, token] for token in range(TOY.vocab_size)])
    assert math.fsum(math.exp(-each.nll[0]) for each in scores) == pytest.approx(1)
    assert sum(bool(each.greedy[0]) for each in scores) == 1


@pytest.mark.parametrize(
    ("row", "message"), [([1], "row 1 has 1 ids"), ([1, 9999], "ids 1 to 9999"), ([-1, 2], "ids -1 to 2")]
)
def test_rows_that_cannot_be_scored_are_named(model: Transformer, row: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score_rows(model, [[1, 2], row])


def test_training_mode_is_given_back(model: Transformer) -> None:
    model.train()
    score_rows(model, [[1, 2]])
    assert model.training
