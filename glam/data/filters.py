"""RULES: why a document does not go on. `None` means keep; the reason becomes a column on the data page.

Thresholds are fields of FilterConfig. Where a rule is of MassiveText (Gopher, arXiv:2112.11446,
section A.1.1), its docstring gives the published value; documentation is shorter and holds more
symbols than web pages, hence our defaults.
"""

import re
from collections.abc import Callable

from glam.config import FilterConfig
from glam.records import Document

Rule = Callable[[Document, FilterConfig], str | None]

STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
"""The eight of Gopher."""
SYMBOL = re.compile(r"[^\w\s]|_")
DIGIT = re.compile(r"\d")
WORD = re.compile(r"[^\W\d_]+")


def too_short(document: Document, config: FilterConfig) -> str | None:
    """Gopher asks for 50 words."""
    return "too_short" if len(document.text) < config.min_characters else None


def too_long(document: Document, config: FilterConfig) -> str | None:
    """Gopher allows 100,000 words."""
    return "too_long" if len(document.text) > config.max_characters else None


def too_many_symbols(document: Document, config: FilterConfig) -> str | None:
    """Tables, banners and code; Gopher allows a tenth as many `#` or ellipses as words."""
    share = _share(SYMBOL, document.text)
    return "too_many_symbols" if share > config.max_symbol_fraction else None


def too_many_digits(document: Document, config: FilterConfig) -> str | None:
    """Listings of numbers; Gopher asks for a letter in 80 % of words."""
    return "too_many_digits" if _share(DIGIT, document.text) > config.max_digit_fraction else None


def repeated_lines(document: Document, config: FilterConfig) -> str | None:
    """Share of non-empty lines that stood there before; Gopher's limit is 0.30."""
    lines = [line.strip() for line in document.text.splitlines() if line.strip()]
    repeated = 1 - len(set(lines)) / len(lines) if lines else 0.0
    return "repeated_lines" if repeated > config.max_repeated_line_fraction else None


def odd_word_length(document: Document, config: FilterConfig) -> str | None:
    """Mean letters of a word; Gopher's limits are 3 and 10."""
    words = WORD.findall(document.text)
    mean = sum(map(len, words)) / len(words) if words else 0.0
    return None if config.min_mean_word_characters <= mean <= config.max_mean_word_characters else "odd_word_length"


def no_stop_words(document: Document, config: FilterConfig) -> str | None:
    """Different words of eight that running English cannot avoid; Gopher asks for two."""
    found = STOP_WORDS.intersection(map(str.lower, WORD.findall(document.text)))
    return "no_stop_words" if len(found) < config.min_stop_words else None


RULES: dict[str, Rule] = {
    "too_short": too_short,
    "too_long": too_long,
    "too_many_symbols": too_many_symbols,
    "too_many_digits": too_many_digits,
    "repeated_lines": repeated_lines,
    "odd_word_length": odd_word_length,
    "no_stop_words": no_stop_words,
}
"""By reason, in the order in which they are asked; the cheap ones first."""


def first_reason(document: Document, config: FilterConfig) -> str | None:
    """The reason of the first rule that refuses the document; None keeps it."""
    return next((reason for rule in RULES.values() if (reason := rule(document, config))), None)


def _share(pattern: re.Pattern[str], text: str) -> float:
    return len(pattern.findall(text)) / max(1, len(text))
