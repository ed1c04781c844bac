"""Laws of every comparison, then numbers worked out by hand from the official definitions."""

import pytest

from glam.evaluation.answers import (
    CANNOT_ANSWER,
    UNANSWERABLE,
    coqa_f1,
    drop_exact_match,
    drop_f1,
    exact_match,
    first_word_matches,
    quac_f1,
    squad_v2_f1,
    token_f1,
    triviaqa_exact_match,
)

METRICS = {
    "exact_match": exact_match,
    "token_f1": token_f1,
    "triviaqa_exact_match": triviaqa_exact_match,
    "squad_v2_f1": squad_v2_f1,
    "coqa_f1": coqa_f1,
    "quac_f1": quac_f1,
    "drop_exact_match": drop_exact_match,
    "drop_f1": drop_f1,
    "first_word_matches": first_word_matches,
}
ANSWERS = ["lantern", "the old mill", "3 May 1905", "Olsen and Berg", "12-3", "£4.50", "isn't", "the", UNANSWERABLE]
LISTS = [["the old mill", "mill"], ["20", "20 sheep", "twenty"], [CANNOT_ANSWER, "a bowl", "bowl"], ["Berg and Olsen"]]
PREDICTIONS = ["", "mill", "An Old Mill!", "20.0", "sheep 20", "bowl", CANNOT_ANSWER, "Olsen, Berg", UNANSWERABLE, "\n"]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", METRICS)
def test_a_reference_is_right(name: str, answer: str) -> None:
    assert METRICS[name](answer, (answer,)) == 1.0
    assert METRICS[name](f"  {answer}\n", (answer,)) == 1.0


@pytest.mark.parametrize("references", LISTS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name", METRICS)
def test_values_lie_between_0_and_1_whatever_the_order_of_references(
    name: str, prediction: str, references: list[str]
) -> None:
    value = METRICS[name](prediction, references)
    assert isinstance(value, float)
    assert 0.0 <= value <= 1.0
    assert METRICS[name](prediction, references[::-1]) == pytest.approx(value)


@pytest.mark.parametrize("name", [name for name in METRICS if name != "first_word_matches"])
def test_case_articles_and_punctuation_do_not_matter(name: str) -> None:
    assert METRICS[name]("The  OLD mill.", ("an old, mill",)) == 1.0


@pytest.mark.parametrize("name", METRICS)
def test_another_answer_is_wrong(name: str) -> None:
    assert METRICS[name]("harbour", ("lantern", "lamp")) == 0.0
    assert METRICS[name]("", ("lantern",)) == 0.0


@pytest.mark.parametrize("references", LISTS)
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_an_exact_match_has_full_f1(prediction: str, references: list[str]) -> None:
    assert exact_match(prediction, references) <= token_f1(prediction, references)
    assert drop_exact_match(prediction, references) <= drop_f1(prediction, references)
    assert exact_match(prediction, references) <= squad_v2_f1(prediction, references)


def test_f1_counts_words_as_often_as_they_occur() -> None:
    assert token_f1("red red bowl", ("red bowl bowl bowl",)) == pytest.approx(2 * 2 / (3 + 4))
    assert token_f1("red bowl bowl bowl", ("red red bowl",)) == pytest.approx(2 * 2 / (3 + 4))
    assert token_f1("bowl red", ("red bowl",)) == 1.0


def test_f1_is_that_of_the_best_reference() -> None:
    assert token_f1("green bowl", ("green", "green glass bowl", "jar")) == pytest.approx(2 * 2 / (2 + 3))


@pytest.mark.parametrize("written", ["Miller's Pride", "miller’s pride", "Miller`s_Pride", "(Miller´s) pride"])
def test_triviaqa_takes_every_quote_and_underscore_for_a_space(written: str) -> None:
    assert triviaqa_exact_match(written, ("Miller‘s Pride",)) == 1.0
    assert triviaqa_exact_match(written, ("Millers Pride",)) == 0.0


def test_squad_drops_punctuation_where_triviaqa_parts_words() -> None:
    assert exact_match("night owl", ("night-owl",)) == 0.0
    assert exact_match("nightowl", ("night-owl",)) == 1.0
    assert triviaqa_exact_match("night owl", ("night-owl",)) == 1.0


@pytest.mark.parametrize(
    ("prediction", "references", "value"),
    [
        ("Unanswerable.", (UNANSWERABLE,), 1.0),
        ("it is unanswerable", (UNANSWERABLE,), 0.0),
        ("1933", (UNANSWERABLE,), 0.0),
        ("", (UNANSWERABLE,), 0.0),
        ("unanswerable", ("1933",), 0.0),
        ("in 1933", ("1933", "until 1933"), 2 / 3),
    ],
)
def test_no_answer_is_all_or_nothing_in_squad_v2(prediction: str, references: tuple[str, ...], value: float) -> None:
    assert squad_v2_f1(prediction, references) == pytest.approx(value)


def test_coqa_leaves_each_reference_out_once() -> None:
    # F1 of "red bowl" with the three: 1, 2/3, 0. Left out in turn, the best of the others are 2/3, 1, 1.
    assert coqa_f1("red bowl", ("red bowl", "red", "glass")) == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert coqa_f1("red bowl", ("red bowl", "glass")) == pytest.approx((0 + 1) / 2)
    assert coqa_f1("red bowl", ("red",)) == pytest.approx(2 / 3)
    assert coqa_f1("red bowl", ("red bowl", "red bowl")) == 1.0


def test_quac_votes_on_whether_there_is_an_answer() -> None:
    assert quac_f1("cannotanswer", (CANNOT_ANSWER, "bowl")) == 1.0
    assert quac_f1("bowl", (CANNOT_ANSWER, "bowl")) == 0.0
    assert quac_f1(CANNOT_ANSWER, (CANNOT_ANSWER, "bowl", "red bowl")) == 0.0
    assert quac_f1("bowl", (CANNOT_ANSWER, "bowl", "red bowl")) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize("written", ["3", "3.0", " 3.", "$3", "03"])
def test_drop_compares_figures_by_value(written: str) -> None:
    assert drop_exact_match(written, ("3",)) == drop_f1(written, ("3.0",)) == 1.0
    assert drop_f1("1,500 sheep", ("1500 sheep",)) == 1.0


def test_drop_does_not_read_numbers_in_words() -> None:
    assert drop_exact_match("three", ("3",)) == drop_f1("three", ("3",)) == 0.0
    assert drop_f1("3", ("three",)) == 0.0


def test_drop_gives_nothing_for_another_number() -> None:
    assert drop_f1("15 sheep", ("20 sheep",)) == 0.0
    assert drop_f1("sheep", ("20 sheep",)) == 0.0
    assert drop_f1("20", ("20 sheep",)) == 0.67
    assert drop_f1("20 sheep", ("sheep",)) == 0.67
    assert drop_f1("20 sheep", ("20 goats", "15 sheep")) == 0.5


def test_drop_parts_words_at_hyphens_and_counts_each_once() -> None:
    assert drop_exact_match("40 yard goal", ("40-yard goal",)) == 1.0
    assert drop_f1("goal goal", ("goal",)) == 1.0


@pytest.mark.parametrize("written", ["Olsen and Berg", "Berg, Olsen", "Berg, and the Olsen", "berg and olsen"])
def test_drop_takes_spans_in_any_order(written: str) -> None:
    assert drop_exact_match(written, ("Olsen and Berg",)) == drop_f1(written, ("Olsen and Berg",)) == 1.0


def test_drop_averages_over_the_best_pairs_of_spans() -> None:
    assert drop_f1("Berg", ("Olsen and Berg",)) == 0.5
    assert drop_f1("Berg, Olsen and Falk", ("Olsen and Berg",)) == 0.67
    assert drop_f1("Ida Berg and Per Olsen", ("Olsen and Berg",)) == 0.67


def test_an_answer_without_and_is_one_span() -> None:
    assert drop_exact_match("May 3, 1905", ("3 May 1905",)) == 0.0
    assert drop_f1("May 3, 1905", ("3 May 1905",)) == 1.0


@pytest.mark.parametrize("written", ["clock", " clock.", '"clock," she said', "clock—at last", "clock's"])
def test_the_first_word_counts(written: str) -> None:
    assert first_word_matches(written, ("clock",)) == float(written != "clock's")


@pytest.mark.parametrize("written", ["the clock", "Clock", "clocks", "clock-tower", "... the clock", ""])
def test_another_first_word_is_wrong(written: str) -> None:
    assert first_word_matches(written, ("clock",)) == 0.0


def test_quotes_around_the_right_word_do_not_matter() -> None:
    assert first_word_matches("Collin", ('"Collin',)) == 1.0
    assert first_word_matches("isn’t", ("isn’t",)) == 1.0
