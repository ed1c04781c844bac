"""Numbers say their unit, and what is unknown."""

import pytest

from dashboard import words

UNKNOWN = (
    *(show(None) for show in (words.number, words.count, words.energy, words.duration, words.ratio)),
    words.interval(None, 1.0, 2.0),
)


@pytest.mark.parametrize("shown", UNKNOWN)
def test_unknown_is_said(shown: str):
    assert shown == "unknown"


def test_numbers_carry_units():
    assert words.count(1_454_000) == "1.45 M"
    assert words.energy(1234.4) == "1234 J"
    assert words.energy(72_000) == "20.0 Wh"
    assert words.duration(12.34) == "12.3 s"
    assert words.duration(754) == "12 min 34 s"
    assert words.interval(-0.045, -0.06, -0.03) == "−0.0450 [−0.0600, −0.0300]"
    assert words.interval(0.1, None, None, digits=1) == "+0.1"


def test_markup_in_a_name_is_text():
    assert words.plain("<b>*x*</b>") == r"\<b\>\*x\*\</b\>"
