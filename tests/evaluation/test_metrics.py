import math

import pytest

from glam.evaluation.answers import exact_match, token_f1
from glam.evaluation.metrics import (
    best_constant,
    bits_per_byte,
    chance,
    chosen,
    f1_of_chance,
    f1_of_yes,
    majority,
    margin,
    normalised,
)
from glam.evaluation.scorer import ChoiceScore
from glam.evaluation.task import Item

CHOICES = (" abcde", " é")


def item(name: str, choices=(" yes", " no"), right=(0,), chance=0.5) -> Item:
    return Item(id=name, cluster="c", prompt="p", choices=choices, right=right, solved="p yes", chance=chance)


def test_normalising_by_tokens_changes_the_winner():
    scores = [ChoiceScore(-6.0, 3, False), ChoiceScore(-4.0, 1, False)]
    assert chosen(normalised(scores, CHOICES, normalise="tokens")) == 0
    assert margin(normalised(scores, CHOICES, normalise="tokens"), (0,)) == pytest.approx(2.0)
    assert chosen(normalised(scores, CHOICES, normalise="none")) == 1
    assert margin(normalised(scores, CHOICES, normalise="none"), (0,)) == pytest.approx(-2.0)


def test_bytes_and_characters_do_not_count_the_space_in_front():
    scores = [ChoiceScore(-10.0, 3, False), ChoiceScore(-4.0, 1, False)]
    assert normalised(scores, CHOICES, normalise="characters") == [-2.0, -4.0]
    assert normalised(scores, CHOICES, normalise="bytes") == [-2.0, -2.0]


def test_the_first_of_equal_choices_is_chosen():
    assert chosen([-2.0, -1.0, -1.0]) == 1


def test_of_several_right_choices_the_best_counts():
    assert margin([-3.0, -1.0, -2.0], (0, 2)) == pytest.approx(-1.0)
    assert margin([-3.0], (0,)) is None


def test_eight_coin_flips_a_byte_are_eight_bits():
    assert bits_per_byte(8 * math.log(2), 1) == pytest.approx(8.0)
    assert bits_per_byte(1.0, 0) is None


def test_baselines_come_from_the_items():
    items = [item(f"{n}", right=(int(n == 0),)) for n in range(4)]
    assert chance(items) == 0.5
    assert majority(items) == 0.75
    assert chance([]) is None
    assert majority([]) is None


def test_a_chance_that_is_unknown_for_one_item_is_unknown():
    assert chance([item("a"), item("b", chance=None)]) is None


def test_the_majority_of_completions_is_the_commonest_word():
    items = [item(f"{n}", choices=(word,), chance=0.1) for n, word in enumerate((" a", " b", " b"))]
    assert majority(items) == pytest.approx(2 / 3)


def written(*references: str) -> Item:
    return Item(id=str(references), cluster="c", prompt="p", references=references, solved="s", chance=None)


def test_of_written_answers_the_majority_is_the_best_of_the_commonest_whatever_is_asked():
    items = [written("no answer"), written("no answer"), written("Paris", "Paris, France"), written("no")]
    assert best_constant(items, exact_match) == 0.5
    assert best_constant(items, token_f1) == pytest.approx((1 + 1 + 0 + 2 / 3) / 4)
    assert best_constant([], exact_match) is None
    assert best_constant([item("a")], exact_match) is None


def test_f1_of_fixed_and_of_random_answers():
    """One of four statements is true: always yes has precision 1/4 and recall 1, a coin 1/4 and 1/2."""
    items = [item(f"{n}", choices=(" no", " yes"), right=(int(n == 0),)) for n in range(4)]
    assert f1_of_yes(items) == pytest.approx(2 * 0.25 / 1.25)
    assert f1_of_chance(items) == pytest.approx(2 * 0.25 * 0.5 / 0.75)
    assert f1_of_yes([]) is None
