import io
from dataclasses import replace

import pytest
from rich.console import Console

from glam.analysis.cost_sentences import law_values, speedup
from glam.analysis.formats import energy, p_value, percent, quantity, ratio
from glam.analysis.judge import judge
from glam.analysis.report import render_report
from glam.analysis.table import print_verdict
from glam.analysis.verdict import Parameter, ScalingFit, ScalingPoint, Speedup


def printed(verdict, width: int = 140) -> str:
    out = io.StringIO()
    print_verdict(verdict, Console(file=out, width=width))
    return out.getvalue()


def test_the_terminal_shows_arms_tasks_and_the_sentence(verdict):
    text = printed(verdict)
    assert "sparse against dense: held-out curves" in text
    assert "name_function" in text
    assert "Holm's p" in text
    assert "too noisy" in text
    assert " ".join(verdict.sentence.split()) in " ".join(text.split())


def test_the_speed_up_stands_beside_the_cost_ratio(verdict):
    text = printed(verdict)
    assert "speed-up" in text
    for axis in verdict.contrasts[0].axes:
        assert speedup(axis.speedup) in text


def test_laws_are_shown_with_their_parameters_or_why_there_are_none(verdict):
    point = ScalingPoint(arm="dense", seed=0, x=1e15, loss=3.0, fitted=2.97, residual=0.01)
    common = {"axis": "flops", "formula": "L(C) = A (C / C0)^-alpha", "points": (point,), "num_distinct": 3}
    values = {"A": Parameter(value=4.0, low=3.9, high=4.1), "alpha": Parameter(value=0.08, low=0.07, high=0.09)}
    law = ScalingFit(group="dense", parameters=values, reference_flops=1e15, notes=("no floor",), **common)
    refused = ScalingFit(group="8 experts", reason="2 amounts of compute", **common)
    assert law_values(law) == "A = 4 [3.9, 4.1], alpha = 0.08 [0.07, 0.09], C0 = 1e+15 FLOPs"
    text = " ".join(printed(verdict.model_copy(update={"scaling": (law, refused)}), width=200).split())
    assert f"{law_values(law)}; no floor" in text
    assert "refused: 2 amounts of compute" in text
    assert "1 %" in text


def test_idle_power_is_shown_beside_the_energy_where_it_is_known_of_every_run(make_study, make_evidence):
    study = make_study()
    evidence = make_evidence(study)
    assert "idle" not in printed(judge(study, evidence))
    for (arm, seed), run in evidence.items():
        watts = 61.0 if arm == "sparse" else [None, 59.0][seed % 2]
        evidence[arm, seed] = replace(run, summary=run.summary.model_copy(update={"idle_watts": watts}))
    verdict = judge(study, evidence)
    assert {arm.arm: arm.idle_watts for arm in verdict.arms} == {"sparse": 61.0, "dense": None}
    for shown in (printed(verdict), render_report(verdict)):
        assert shown.count("idle 61 W") == 1
        assert "idle 59 W" not in shown


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
        (speedup(None), "unknown"),
        (speedup(Speedup(value=None, reason="joules were not measured")), "unknown"),
        (speedup(Speedup(value=1.416, low=1.2, high=1.7, num_units=9)), "1.42 × [1.20, 1.70]"),
        (speedup(Speedup(value=1.416, extrapolated=True)), "1.42 ×, extrapolated"),
        (speedup(Speedup(value=3.1, low=2.2, at_least=4.0, num_units=9)), "3.10 × [2.20, > 4.00]"),
        (speedup(Speedup(value=0.15, at_most=0.1, high=0.2, num_units=9)), "0.15 × [< 0.10, 0.20]"),
        (speedup(Speedup(value=None, at_least=4.0)), "> 4.00 ×"),
        (speedup(Speedup(value=None, at_most=0.1)), "< 0.10 ×"),
        (p_value(None), "unknown"),
        (p_value(0.0384), "0.038"),
        (p_value(1.0), "1"),
        (p_value(3e-9), "< 0.0001"),
        (energy(None, None, None, "none"), "unknown"),
        (energy(2000.0, 1000.0, 4300.0, "power_model"), "2 kJ [1 k, 4.3 k] (power model)"),
        (energy(2000.0, 2000.0, 2000.0, "rapl"), "2 kJ (processor energy counter)"),
        (energy(2000.0, 2000.0, 2000.0, "rapl", 61.0), "2 kJ (processor energy counter), idle 61 W"),
        (energy(None, None, None, "none", 61.0), "unknown, idle 61 W"),
    ],
)
def test_numbers_read_as_people_write_them(shown: str, text: str):
    assert shown == text
