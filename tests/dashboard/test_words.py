"""Numbers say their unit, and what is unknown; names are text."""

import math

import pytest

from dashboard import words

SHOWN = (words.number, words.count, words.energy, words.duration, words.ratio, words.percent, words.signed)


@pytest.mark.parametrize("show", SHOWN)
def test_unknown_is_said(show):
    assert show(None) == "unknown"
    assert words.interval(None, 1.0, 2.0) == "unknown"


@pytest.mark.parametrize("show", SHOWN)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1e308, 10**18, 0])
def test_no_number_is_too_strange_to_be_shown_in_a_few_characters(show, value: float):
    text = show(value)
    assert len(text) < 40
    assert ("not a number" in text) == math.isnan(value)


def test_numbers_carry_units():
    assert words.count(1_454_000) == "1.45 M"
    assert words.energy(1234.4) == "1234 J"
    assert words.energy(72_000) == "20.0 Wh"
    assert words.energy(3.6e9) == "1 MWh"
    assert words.duration(12.34) == "12.3 s"
    assert words.duration(754) == "12 min 34 s"
    assert words.duration(864_000) == "240 h 0 min"
    assert words.duration(8.64e7) == "1000.0 days"
    assert words.percent(0.1234) == "12.3 %"
    assert words.interval(-0.045, -0.06, -0.03) == "−0.0450 [−0.0600, −0.0300]"
    assert words.interval(0.1, None, None, digits=1) == "+0.1"
    assert [words.some(count, "run") for count in (1, 2_000)] == ["1 run", "2,000 runs"]


def test_markup_in_a_name_is_text():
    assert words.plain("<b>*x*</b>") == r"\<b\>\*x\*\</b\>"
    assert words.plain("a\n# b") == r"a \# b", "a second line could begin a heading"
    assert "\u202e" not in words.plain("\u202etxt.exe")


@pytest.mark.parametrize(
    "text", ["https://example.invalid", "www.example.invalid", "a@b.invalid", ":material/home:", ":red[x]"]
)
def test_what_is_made_of_plain_text_after_escapes_is_parted(text: str):
    shown = words.plain(text).replace("\\", "")
    assert shown != text
    assert shown.replace(words.JOINER, "") == text
