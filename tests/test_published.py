from collections.abc import Iterator
from typing import get_args

import pytest

from glam.counting import count
from glam.energy.account import co2e_kilograms, megawatt_hours
from glam.published import (
    PUBLISHED_AVERAGES,
    PUBLISHED_COSTS,
    PUBLISHED_SCORES,
    PublishedCost,
    Setting,
    published_average,
    published_score,
    published_scores,
)
from glam.variants import VARIANTS

SETTINGS: tuple[Setting, ...] = get_args(Setting)
TASKS = tuple(dict.fromkeys(score.task for score in PUBLISHED_SCORES))


def test_29_tasks_and_only_squad_has_two_metrics():
    assert len(TASKS) == 29
    metrics = {task: {score.metric for score in published_scores(task)} for task in TASKS}
    assert {task for task in TASKS if len(metrics[task]) > 1} == {"squad_v2"}
    assert metrics["squad_v2"] == {"f1", "exact_match"}


def test_a_cell_is_one_score_between_0_and_100():
    cells = [(score.model, score.task, score.metric, score.setting) for score in PUBLISHED_SCORES]
    assert len(cells) == len(set(cells))
    assert all(0 <= score.score <= 100 for score in PUBLISHED_SCORES)
    assert all(0 <= average.score <= 100 for average in PUBLISHED_AVERAGES)


def test_zero_and_one_shot_columns_have_as_many_shots():
    assert {score.num_shots for score in PUBLISHED_SCORES if score.setting == "zero"} == {0}
    assert {score.num_shots for score in PUBLISHED_SCORES if score.setting == "one"} == {1}
    few = [score for score in PUBLISHED_SCORES if score.setting == "few"]
    assert {score.model for score in few if score.num_shots == 0} == {"gopher_280b"}
    assert {score.model for score in few if score.num_shots is None} == {"megatron_turing_nlg_530b"}


@pytest.mark.parametrize("task", TASKS)
def test_both_models_of_the_paper_have_a_score_in_every_setting(task: str):
    for metric in {score.metric for score in published_scores(task)}:
        for setting in SETTINGS:
            assert published_score("glam_64b_64e", task, setting, metric) is not None
            assert published_score("gpt3_175b", task, setting, metric) is not None


def test_a_cell_is_found_with_its_shots_tag_and_note():
    few = published_score("glam_64b_64e", "nq_open", "few")
    assert few is not None
    assert (few.score, few.num_shots, few.tag) == (32.5, 64, "verified")
    assert few.note is not None
    assert "one shot" in few.note

    doubtful = published_score("glam_64b_64e", "coqa", "few")
    assert doubtful is not None
    assert (doubtful.score, doubtful.num_shots, doubtful.tag) == (79.6, 1, "doubtful")

    recalled = published_score("gpt3_175b", "multirc", "zero")
    assert recalled is not None
    assert (recalled.score, recalled.metric, recalled.tag) == (72.9, "f1a", "recalled")

    gopher = published_score("gopher_280b", "race_high", "few")
    assert gopher is not None
    assert (gopher.score, gopher.num_shots) == (71.6, 5)

    megatron = published_score("megatron_turing_nlg_530b", "lambada", "one")
    assert megatron is not None
    assert megatron.score == 73.1


def test_a_task_with_two_metrics_gives_the_first_unless_asked():
    scores = [published_score("glam_64b_64e", "squad_v2", "zero", metric) for metric in (None, "f1", "exact_match")]
    assert [score.score for score in scores if score is not None] == [71.1, 71.1, 64.7]


def test_what_was_not_published_is_none():
    assert published_score("gopher_280b", "drop", "few") is None
    assert published_score("glam_64b_64e", "triviaqa", "one", "f1") is None
    assert published_score("glam_64b_64e", "heldout", "zero") is None
    assert list(published_scores("heldout")) == []
    assert published_average("gopher_280b", "NLG", "few") is None


def test_scores_of_a_task_come_one_by_one():
    scores = published_scores("lambada")
    assert isinstance(scores, Iterator)
    assert len(list(scores)) == 3 + 3 + 1 + 3


def test_averages_are_printed_of_both_models_in_every_setting():
    assert len(PUBLISHED_AVERAGES) == 2 * 3 * 3
    headline = published_average("glam_64b_64e", "all", "few")
    assert headline is not None
    assert headline.score == 68.1
    assert headline.note is not None
    assert {average.tag for average in PUBLISHED_AVERAGES} == {"verified"}


IDENTITY_TOLERANCE = 0.005


WITH_PUE = [cost for cost in PUBLISHED_COSTS if cost.pue is not None]


@pytest.mark.parametrize("cost", WITH_PUE, ids=lambda cost: cost.title)
def test_energy_is_accelerators_times_hours_times_watts_times_pue(cost: PublishedCost) -> None:
    assert cost.pue is not None
    seconds = 3600 * cost.hours.value
    joules = cost.num_accelerators.value * seconds * cost.watts_per_accelerator.value
    assert megawatt_hours(joules, pue=cost.pue.value) == pytest.approx(cost.training_mwh.value, rel=IDENTITY_TOLERANCE)


@pytest.mark.parametrize("cost", PUBLISHED_COSTS, ids=lambda cost: cost.title)
def test_emissions_are_energy_times_grid(cost: PublishedCost) -> None:
    kilograms = co2e_kilograms(cost.training_mwh.value, 1000 * cost.grid_tonnes_per_mwh.value)
    assert kilograms == pytest.approx(1000 * cost.net_tonnes_co2e.value, rel=IDENTITY_TOLERANCE)


def test_glam_is_costed_at_two_numbers_of_tokens_of_one_model() -> None:
    many, few = (cost for cost in PUBLISHED_COSTS if cost.model == "glam_64b_64e")
    assert (many.tokens.value, few.tokens.value) == (600e9, 280e9)
    assert many.flops_per_token == few.flops_per_token
    assert many.training_mwh.value / many.tokens.value == pytest.approx(
        few.training_mwh.value / few.tokens.value, rel=0.01
    )


def test_flops_of_gpt3_are_two_a_parameter_and_those_of_glam_are_not() -> None:
    # GLaM, table 1: 350 G and 180 G; 180 is not twice 96.6, which the note says.
    gpt3, glam = PUBLISHED_COSTS[0].flops_per_token, PUBLISHED_COSTS[1].flops_per_token
    assert gpt3 is not None
    assert glam is not None
    assert gpt3.value == pytest.approx(2 * count(VARIANTS["gpt3_175b"]).active_params, rel=0.01)
    assert glam.value < 0.95 * 2 * count(VARIANTS["glam_64b_64e"]).active_params
    assert glam.note is not None
