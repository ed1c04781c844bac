"""Each rule refuses its one text and lets prose pass."""

import pytest

from glam.config import FilterConfig
from glam.data.filters import RULES, first_reason
from glam.records import Document
from tests.data.conftest import prose

CONFIG = FilterConfig(max_characters=5000)
REFUSED = {
    "too_short": "The end of it.",
    "too_long": prose(0, 5000),
    "too_many_symbols": "the of and " + "<=> " * 100,
    "too_many_digits": "the of and " + "12345 word " * 40,
    "repeated_lines": "the same line of text and more\n" * 20,
    "odd_word_length": "the of and " + "a b c d " * 60,
    "no_stop_words": "lorem ipsum dolor sit amet " * 20,
}


def as_document(text: str) -> Document:
    return Document(id="x", text=text, source="made", unit="unit")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_refuses_its_text_with_its_name(name: str) -> None:
    assert RULES[name](as_document(REFUSED[name]), CONFIG) == name


@pytest.mark.parametrize("name", RULES)
def test_a_rule_lets_prose_pass(name: str) -> None:
    assert RULES[name](as_document(prose(1)), CONFIG) is None


@pytest.mark.parametrize("name", RULES)
def test_no_rule_fails_on_an_empty_text(name: str) -> None:
    RULES[name](as_document(""), CONFIG)


def test_the_first_reason_counts() -> None:
    assert first_reason(as_document("1"), CONFIG) == "too_short"
    assert first_reason(as_document(prose(2)), CONFIG) is None
