"""Each rule refuses its text and lets prose pass; counts of repetition agree with slow and plain ones."""

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.config import FilterConfig, replace
from glam.data.filters import REPEATED_NGRAMS, RULES, TOP_NGRAMS, first_reason
from glam.data.measures import Measures
from glam.data.ngrams import run_hashes
from glam.data.words import HAS_LETTER, cut
from glam.recipes import GOPHER_FILTERS, WEB_FILTERS
from glam.records import Document
from tests.data.conftest import prose

REAL_TEXT = Path(__file__).parents[3] / "shared" / "data" / "text"
STRICT = replace(
    WEB_FILTERS,
    min_characters=200,
    max_characters=5000,
    max_words=1000,
    max_symbol_fraction=0.25,
    max_digit_fraction=0.20,
    min_sentences=1,
    min_terminal_line_fraction=0.05,
)
"""A threshold for every rule."""


def returning(length: int, period: int) -> str:
    """Runs of `length` made-up words that return, each time among other words."""
    phrase = [f"word{number}" for number in range(length)]
    return " ".join(" ".join([*phrase, *(f"x{n}y{k}" for k in range(period - length))]) for n in range(60))


REFUSED = {
    "too_short": "The end of it.",
    "too_long": prose(0, 5000),
    "curly_brackets": prose(1) + " {",
    "lorem_ipsum": prose(1) + " Lorem ipsum dolor sit amet.",
    "repeated_lines": "the same line of text and more\n" * 20,
    "repeated_line_characters": prose(1) + ("\n" + "a line of some length that returns " * 9) * 2,
    "repeated_paragraphs": "one\n\ntwo\n\none\n\ntwo",
    "repeated_paragraph_characters": (prose(1) + "\n\n") * 2 + "\n\n".join("abcdefgh"),
    "bullet_lines": "• one thing\n  - another thing\n" * 10,
    "ellipsis_lines": "the beginning of ...\nsome story …\nand its end",
    "boilerplate_lines": "Please enable JavaScript.\nSee our Privacy Policy.\nText.",
    "few_terminal_lines": "Home\nNews\nContact\n" * 10,
    "few_sentences": "No sentence ends here",
    "too_few_words": "the of and " * 10,
    "too_many_words": "word " * 1001,
    "too_many_symbols": "the of and " + "<=> " * 100,
    "too_many_digits": "the of and " + "12345 word " * 40,
    "short_words": "the of and " + "a b c d " * 60,
    "long_words": "internationalisation " * 10,
    "too_many_hashes": "#one #of #the #tags " * 10,
    "too_many_ellipses": "well ... I … do not ... know " * 10,
    "few_lettered_words": "one 1 , 2 , 3 ; 4 ! 5 " * 10,
    "no_stop_words": "lorem ipsum dolor sit amet " * 20,
    "not_english": "le chat est dans la maison et il ne veut pas en sortir pour la nuit " * 3,
    "top_2gram": "same words " * 9 + prose(1, 20),
    "top_3gram": "the same words " * 9 + prose(1, 20),
    "top_4gram": "the very same words " * 9 + prose(1, 20),
    **{f"repeated_{n}grams": returning(n, 12) for n in REPEATED_NGRAMS},
}


def as_document(text: str) -> Document:
    return Document(id="x", text=text, source="made", unit="unit")


@pytest.mark.parametrize("name", RULES)
def test_a_rule_refuses_its_text_with_its_name(name: str) -> None:
    assert RULES[name](Measures(REFUSED[name]), STRICT) == name


@pytest.mark.parametrize("name", RULES)
def test_a_rule_lets_prose_pass(name: str) -> None:
    assert RULES[name](Measures(prose(1)), STRICT) is None


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("text", ["", " \n\n ", "."])
def test_no_rule_fails_on_a_text_of_nothing(name: str, text: str) -> None:
    RULES[name](Measures(text), STRICT)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_without_a_threshold_refuses_nothing(name: str) -> None:
    off = {field: None for field, info in FilterConfig.model_fields.items() if type(info.default) is not bool}
    assert RULES[name](Measures(REFUSED[name]), FilterConfig(**off)) is None


def test_the_first_reason_counts() -> None:
    assert first_reason(as_document("1"), STRICT) == "too_short"
    assert first_reason(as_document(prose(2)), STRICT) is None
    assert first_reason(as_document(prose(2)), FilterConfig()) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's a well-known fact.", "It 's a well - known fact ."),
        ('"Don\'t," said Mr. Ross (aged 7).', '" Do n\'t , " said Mr. Ross ( aged 7 ) .'),
        ("They’ll’ve paid $5m/US$6 at 10a.m. for 3km...", "They ’ll ’ve paid $ 5m / US$6 at 10 a.m. for 3 km ..."),
        (
            "See http://a-b.org/c,d?e=f, me@site.com; and/or the U.S.:",
            "See http://a-b.org/c,d?e=f , me@site.com ; and/or the U.S. :",
        ),
        ("nice :-) (really): end.Start ''quoted''", "nice :-) ( really ): end . Start '' quoted ''"),
        (
            "snake_case f(x) a.b.c C++ 1,000.5 10-20 -- e.g. rock'n'roll",
            "snake_case f(x ) a.b.c C++ 1,000.5 10 - 20 -- e.g. rock'n'roll",
        ),
    ],
)
def test_words_are_cut_as_spacy_cuts_them(text: str, words: str) -> None:
    assert cut(text) == words.split()


@given(st.text())
def test_cutting_loses_nothing_but_white_space(text: str) -> None:
    assert "".join(cut(text)) == "".join(text.split())
    measures = Measures(text)
    assert measures.words["characters"].sum() == len("".join(text.split()))
    assert measures.count(HAS_LETTER) == sum(any(map(str.isalpha, word)) for word in cut(text))


@pytest.mark.parametrize("piece", ["=" * 300_000, ")." * 150_000, "a.@-" * 75_000, "x" * 300_000])
@pytest.mark.timeout(20)
def test_a_text_without_white_space_takes_no_longer_than_others(piece: str) -> None:
    first_reason(as_document(piece), GOPHER_FILTERS)


few_words = st.lists(st.sampled_from(["a", "bb", "ccc", "dddd"]), max_size=60)


@given(few_words, st.sampled_from(TOP_NGRAMS))
def test_the_most_frequent_run_is_that_of_a_plain_count(words: list[str], n: int) -> None:
    text = " ".join(words)
    runs = [" ".join(words[start : start + n]) for start in range(len(words) - n + 1)]
    run, occurrences = Counter(runs).most_common(1)[0] if runs else ("", 0)
    measures = Measures(text)
    assert measures.top_ngram_share(n) * len(text) == pytest.approx(len(run) * occurrences)
    assert measures.top_ngram_bound(n) >= measures.top_ngram_share(n)


@given(few_words, st.sampled_from(REPEATED_NGRAMS))
def test_repeated_runs_are_those_of_a_plain_walk(words: list[str], n: int) -> None:
    text = " ".join(words)
    measures = Measures(text)
    assert measures.repeated_ngram_share(n) * len(text) == pytest.approx(walked(words, n))
    assert measures.repeated_ngram_bound >= measures.repeated_ngram_share(n)


def walked(words: list[str], n: int) -> int:
    seen, place, characters = set(), 0, 0
    while place + n <= len(words):
        run = tuple(words[place : place + n])
        if run in seen:
            characters += sum(map(len, run))
        place += n if run in seen else 1
        seen.add(run)
    return characters


def test_hashes_of_runs_tell_them_apart() -> None:
    hash_W = np.array([random.Random(seed).getrandbits(64) for seed in range(50)], dtype=np.uint64)[
        np.arange(5000) % 50
    ]
    for n in (1, 2, 5, 10):
        assert len(np.unique(run_hashes(hash_W, n))) == 50
    assert len(run_hashes(hash_W[:3], 4)) == 0


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_TEXT.is_dir(), reason="no folder of real text beside the checkout")
@pytest.mark.parametrize(
    ("source", "config", "least", "most"),
    [
        ("books", GOPHER_FILTERS, 0.90, 1.0),
        ("news", GOPHER_FILTERS, 0.80, 1.0),
        ("webpages_nonenglish", replace(FilterConfig(), language="en", min_stop_words=None), 0.0, 0.05),
        ("webpages_clean", replace(FilterConfig(), language="en"), 0.90, 1.0),
    ],
)
def test_real_text_passes_as_its_kind_suggests(source: str, config: FilterConfig, least: float, most: float) -> None:
    with open(REAL_TEXT / f"{source}.jsonl", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    kept = np.mean([first_reason(as_document(text), config) is None for text in texts])
    assert least <= kept <= most
