"""Markdown of others' words: what they wrote is text, whatever it looks like."""

import html
import re

import pytest
from rich.table import Table

from glam.analysis.markdown import JOINER, bullets, from_terminal, plain, table

HOSTILE = (
    "<script>alert(1)</script>",
    "[text](javascript:alert(1))",
    "![x](http://example.org/x.png)",
    "a | b",
    "**bold** _it_ `code` ~~gone~~",
    "# heading",
    "- item",
    "1. item",
    "https://example.org and www.example.org",
    "two\nlines",
    "_around_ and in_side",
    "[name][1] and [1]: http://example.org",
    "&lt;b&gt; and someone@example.org",
    "--- and ===",
    "===",
    "12) item",
)


def shown(markdown: str) -> str:
    """What a reader sees."""
    return html.unescape(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", markdown)).replace(JOINER, "")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_means_something_is_left_and_nothing_is_lost(text: str) -> None:
    written = plain(text)
    assert shown(written) == " ".join(text.split())
    bare = re.sub(r"\\[^A-Za-z0-9\s]", "x", written)
    assert not re.search(r"[`*|~\\]|<[A-Za-z/!?]|\][(\[:]|://|www\.|\w@\w|\b_|_\b", bare)
    assert not re.match(r"[-+](\s|-|$)|=+$|#|\d+[.)](\s|$)", bare)


@pytest.mark.parametrize(
    "text", ["5.3837", "+0.0344", "0.82 × [0.81, 0.83]", "flops_per_token", "12 of 400", "p < 0.0001", "Note: Holm's p"]
)
def test_numbers_and_words_are_left_as_they_are(text: str) -> None:
    assert plain(text) == text


def test_a_cell_cannot_end_its_column() -> None:
    lines = table(("a|b", "c"), [("x | y", "z")]).splitlines()
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [3, 3, 3]


def test_a_table_of_the_terminal_keeps_its_cells() -> None:
    made = Table(title="study_a")
    for name in ("axis", "ratio"):
        made.add_column(name)
    made.add_row("tokens", "1.04")
    assert from_terminal(made).splitlines()[2:] == ["| axis | ratio |", "| --- | ---: |", "| tokens | 1.04 |"]


def test_bullets_are_one_line_each() -> None:
    assert bullets(["one\nline", "two"]) == "- one line\n- two"
