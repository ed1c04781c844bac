"""What goes out about a verdict and a model: complete, escaped, and within what the registry takes."""

from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from glam.analysis.chart_files import chart_files
from glam.analysis.evidence import RunEvidence
from glam.analysis.judge import judge
from glam.analysis.model_card import LIMITS, CardFacts, model_card
from glam.analysis.verdict import Verdict
from glam.analysis.verdict_markdown import verdict_markdown
from glam.study import Study

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    return make_study()


@pytest.fixture
def evidence(study: Study, make_evidence: Callable[..., dict[tuple[str, int], RunEvidence]]):
    return make_evidence(study)


@pytest.fixture
def verdict(study: Study, evidence: dict[tuple[str, int], RunEvidence]) -> Verdict:
    return judge(study, evidence)


@pytest.fixture
def facts(study: Study, evidence: dict[tuple[str, int], RunEvidence], verdict: Verdict) -> CardFacts:
    run = evidence["sparse", 0]
    return CardFacts(
        study=study.name,
        experiment=study.arms["sparse"],
        summary=run.summary,
        data_report={"steps": {"train": {"documents": 136, "bytes": 1}}},
        scores=[score.result for score in run.scores.values()],
        verdict=verdict,
    )


def test_a_card_says_what_it_is_what_it_cost_and_what_it_is_not_for(facts: CardFacts) -> None:
    card = model_card(facts)
    for expected in ("3,010,000", "1,454,000", "| documents | 136 |", "| held-out documents | unknown |", *LIMITS):
        assert expected in card
    assert all(f"| {score.num_shots} |" in card for score in facts.scores)


def test_what_is_unknown_is_said_and_never_zero(facts: CardFacts) -> None:
    unknown = facts.summary.model_copy(update={"energy_joules": None, "idle_watts": None, "heldout_loss": None})
    card = model_card(replace(facts, summary=unknown, data_report=None, verdict=None))
    assert "## Energy of training\n\nunknown" in card
    assert "| documents | unknown |" in card
    assert "## Verdict" not in card


def test_a_card_that_is_too_long_loses_scores_and_keeps_its_limits(facts: CardFacts) -> None:
    whole = model_card(facts)
    short = model_card(facts, max_characters=len(whole) - 100)
    assert len(short) <= len(whole) - 100
    assert "more, with the run's artifacts" in short
    assert all(limit in short for limit in LIMITS)


def test_names_of_others_are_text(facts: CardFacts, verdict: Verdict) -> None:
    named = verdict.model_copy(update={"study": HOSTILE, "sentence": HOSTILE, "caveats": (HOSTILE,)})
    assert "<script" not in verdict_markdown(named)
    assert "<script" not in model_card(replace(facts, study=HOSTILE, verdict=named))


def test_a_verdict_in_markdown_has_its_sentence_tables_and_caveats(verdict: Verdict) -> None:
    text = verdict_markdown(verdict)
    assert text.index("**") < text.index("| parameters |") < text.index("### What to know about it")
    assert text.count("\n- ") >= len(verdict.caveats)


def test_charts_are_files_that_bring_their_colours(verdict: Verdict) -> None:
    charts = chart_files(verdict)
    assert {"loss-tokens-dense.svg", "tasks-sparse-dense.svg", "differences-sparse-dense.svg"} <= set(charts)
    for chart in charts.values():
        assert "--ink:" in chart
        ElementTree.fromstring(chart)
