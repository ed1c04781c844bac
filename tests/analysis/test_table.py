import io

import pytest
from rich.console import Console

from glam.analysis.formats import energy, p_value, percent, quantity, ratio
from glam.analysis.judge import judge
from glam.analysis.table import print_verdict


def printed(verdict) -> str:
    out = io.StringIO()
    print_verdict(verdict, Console(file=out, width=140))
    return out.getvalue()


def test_the_terminal_shows_arms_tasks_and_the_sentence(verdict):
    text = printed(verdict)
    assert "sparse against dense: held-out curves" in text
    assert "name_function" in text
    assert "Holm's p" in text
    assert "too noisy" in text
    assert " ".join(verdict.sentence.split()) in " ".join(text.split())


def test_unknown_is_printed_as_unknown(make_study, make_evidence):
    study = make_study()
    text = printed(judge(study, make_evidence(study, energy_method="none")))
    assert "unknown" in text
    assert " 0 J" not in text


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (quantity(None), "unknown"),
        (quantity(1_450_000), "1.45 M"),
        (quantity(0.00097, "J"), "970 µJ"),
        (quantity(0.0, "J"), "0 J"),
        (quantity(86.4, "s"), "86.4 s"),
        (percent(0.4251), "42.5 %"),
        (ratio(None), "unknown"),
        (p_value(None), "unknown"),
        (p_value(0.0384), "0.038"),
        (p_value(1.0), "1"),
        (p_value(3e-9), "< 0.0001"),
        (energy(None, None, None, "none"), "unknown"),
        (energy(2000.0, 1000.0, 4300.0, "power_model"), "2 kJ [1 k, 4.3 k] (power model)"),
        (energy(2000.0, 2000.0, 2000.0, "rapl"), "2 kJ (processor energy counter)"),
    ],
)
def test_numbers_read_as_people_write_them(shown: str, text: str):
    assert shown == text
