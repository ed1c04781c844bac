import random
from collections import Counter
from typing import get_args

import pytest

from glam.evaluation.averages import ENTRIES, Average, averages
from glam.evaluation.paper import Category, Group
from glam.published import PUBLISHED_SCORES, AverageOf, Model, Setting, published_average

MODELS: tuple[Model, ...] = ("glam_64b_64e", "gpt3_175b")
SETTINGS: tuple[Setting, ...] = get_args(Setting)

# Height of the bars of the paper's figure 1, measured from its pixels: gain of GLaM over GPT-3 in per cent of GPT-3's.
FIGURE_1: dict[tuple[Category, Setting], float] = {
    ("open-domain question answering", "zero"): 23.23,
    ("open-domain question answering", "one"): 8.72,
    ("open-domain question answering", "few"): 4.77,
    ("cloze and completion", "zero"): -6.26,
    ("cloze and completion", "one"): 2.64,
    ("cloze and completion", "few"): -1.07,
    ("Winograd-style", "zero"): 1.01,
    ("Winograd-style", "one"): -3.70,
    ("Winograd-style", "few"): 0.82,
    ("common-sense reasoning", "one"): 2.82,
    ("common-sense reasoning", "few"): 4.71,
    ("in-context reading comprehension", "zero"): 20.61,
    ("in-context reading comprehension", "one"): 10.84,
    ("in-context reading comprehension", "few"): 6.09,
    ("SuperGLUE", "zero"): 20.10,
    ("SuperGLUE", "one"): 7.22,
    ("SuperGLUE", "few"): 4.46,
    ("natural language inference", "zero"): 12.73,
    ("natural language inference", "one"): 22.03,
    ("natural language inference", "few"): 17.26,
}


def scores_of(model: Model, setting: Setting) -> dict[tuple[str, str], float | None]:
    found = (score for score in PUBLISHED_SCORES if (score.model, score.setting) == (model, setting))
    return {(score.task, score.metric): score.score for score in found}


def value(average: Average) -> float:
    assert average.value is not None
    return average.value


def printed(model: Model, of: AverageOf, setting: Setting) -> float:
    average = published_average(model, of, setting)
    assert average is not None
    return average.score


def test_9_entries_generate_and_21_choose():
    assert Counter(entry.group for entry in ENTRIES) == {"NLG": 9, "NLU": 21}
    keys = {(entry.task, entry.metric) for entry in ENTRIES}
    assert len(keys) == 30
    assert len({task for task, _ in keys}) == 29


def test_every_task_is_in_one_category_and_every_category_has_tasks():
    of_task = {entry.task: {other.category for other in ENTRIES if other.task == entry.task} for entry in ENTRIES}
    assert all(len(categories) == 1 for categories in of_task.values())
    assert {entry.category for entry in ENTRIES} == set(get_args(Category))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_published_scores_are_exactly_the_entries(model: Model, setting: Setting):
    assert set(scores_of(model, setting)) == {(entry.task, entry.metric) for entry in ENTRIES}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("setting", ["zero", "one"])
def test_printed_averages_come_out(model: Model, setting: Setting):
    found = averages(scores_of(model, setting))
    assert value(found.overall) == pytest.approx(printed(model, "all", setting), abs=0.1)
    for group in get_args(Group):
        assert value(found.groups[group]) == pytest.approx(printed(model, group, setting), abs=0.1)


@pytest.mark.parametrize("model", MODELS)
def test_the_few_shot_headline_of_the_paper_is_not_its_mean(model: Model):
    """The paper contradicts itself: its other headlines are means of the 30 entries, this one is (NLG + 2 NLU) / 3."""
    headline = printed(model, "all", "few")
    assert abs(value(averages(scores_of(model, "few")).overall) - headline) > 0.3
    nlg, nlu = printed(model, "NLG", "few"), printed(model, "NLU", "few")
    assert (nlg + 2 * nlu) / 3 == pytest.approx(headline, abs=0.1)


@pytest.mark.parametrize(("category", "setting"), FIGURE_1)
def test_categories_gain_what_figure_1_shows(category: Category, setting: Setting):
    glam, gpt3 = (value(averages(scores_of(model, setting)).categories[category]) for model in MODELS)
    assert 100 * (glam / gpt3 - 1) == pytest.approx(FIGURE_1[category, setting], abs=0.4)


def test_a_missing_entry_leaves_its_averages_open_and_is_named():
    scores = scores_of("glam_64b_64e", "zero")
    del scores["squad_v2", "exact_match"]
    scores["piqa", "accuracy"] = None
    found = averages(scores)
    for average, missing in (
        (found.groups["NLG"], ["squad_v2"]),
        (found.groups["NLU"], ["piqa"]),
        (found.overall, ["squad_v2", "piqa"]),
        (found.categories["in-context reading comprehension"], ["squad_v2"]),
        (found.categories["common-sense reasoning"], ["piqa"]),
    ):
        assert average.value is None
        assert {entry.task for entry in average.missing} == set(missing)
    assert found.groups["NLG"].missing[0].metric == "exact_match"
    assert found.categories["SuperGLUE"].value is not None
    assert found.categories["SuperGLUE"].missing == ()


def test_without_scores_everything_is_missing():
    found = averages({})
    assert found.overall.value is None
    assert found.overall.missing == ENTRIES
    assert found.overall.num_entries == 30


def test_a_score_of_zero_counts():
    found = averages({(entry.task, entry.metric): 0.0 for entry in ENTRIES})
    assert found.overall.value == 0.0
    assert found.overall.missing == ()


def test_order_and_other_tasks_do_not_matter():
    scores = scores_of("gpt3_175b", "one")
    shuffled = list(scores.items())
    random.Random(0).shuffle(shuffled)
    assert averages(dict(shuffled)) == averages(scores)
    assert averages({**scores, ("last_word", "accuracy"): 1.0, ("drop", "exact_match"): 1.0}) == averages(scores)


def test_the_scale_of_the_scores_is_the_scale_of_the_averages():
    scores = scores_of("gpt3_175b", "one")
    fractions = {key: score / 100 for key, score in scores.items() if score is not None}
    assert 100 * value(averages(fractions).overall) == pytest.approx(value(averages(scores).overall))
