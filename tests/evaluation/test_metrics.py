import math

import pytest

from glam.evaluation.metrics import bits_per_byte, chance, majority, margin
from glam.evaluation.scorer import ChoiceScore
from glam.evaluation.task import Item


def test_normalising_by_tokens_changes_the_winner():
    scores = [ChoiceScore(-6.0, 3, False), ChoiceScore(-4.0, 1, False)]
    assert margin(scores, 0, normalise="tokens") == pytest.approx(2.0)
    assert margin(scores, 0, normalise="none") == pytest.approx(-2.0)


def test_eight_coin_flips_a_byte_are_eight_bits():
    assert bits_per_byte(8 * math.log(2), 1) == pytest.approx(8.0)
    assert bits_per_byte(1.0, 0) is None


def test_baselines_come_from_the_items():
    items = [Item(f"{n}", "c", "p", (" yes", " no"), int(n == 0), 0.5) for n in range(4)]
    assert chance(items) == 0.5
    assert majority(items) == 0.75
    assert chance([]) is None
    assert majority([]) is None


def test_the_majority_of_completions_is_the_commonest_word():
    items = [Item(f"{n}", "c", "p", (word,), 0, 0.1) for n, word in enumerate((" a", " b", " b"))]
    assert majority(items) == pytest.approx(2 / 3)
