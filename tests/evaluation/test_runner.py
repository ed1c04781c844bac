import math

import numpy as np
import pytest
from fake_evaluation import FakeHeldOut, FakeScores, guesser, knower

from glam.evaluation import TASKS
from glam.evaluation.runner import run_task
from glam.records import EvalResult, ItemScore

ASKING = [name for name, task in TASKS.items() if task.takes_shots]


@pytest.fixture
def run(heldout, tokenizer):
    def call(task: str, score_rows=guesser, **changes) -> tuple[EvalResult, list[ItemScore]]:
        options = {"num_shots": 0, "max_examples": 30, "seed": 0, "sequence_length": 200, "heldout": heldout}
        return run_task(task, tokenizer=tokenizer, score_rows=score_rows, **(options | changes))

    return call


@pytest.mark.parametrize("task", TASKS)
def test_the_value_is_the_weighted_mean_of_its_items(task: str, run):
    result, items = run(task)
    assert result.value == pytest.approx(sum(item.value for item in items) / sum(item.weight for item in items))
    assert result.num_examples == len(items)
    assert result.seconds is not None


@pytest.mark.parametrize("task", TASKS)
def test_the_same_question_twice_gives_the_same_answer(task: str, run):
    first, second = run(task), run(task)
    assert first[1] == second[1]
    assert first[0].value == second[0].value


@pytest.mark.parametrize("task", ASKING)
def test_a_model_that_knows_the_text_is_right(task: str, run, documents, tokenizer):
    texts = [" ".join(document.text.split()) for document in documents]
    asked = TASKS[task].items(documents, 0)  # pyright: ignore[reportAttributeAccessIssue]
    result, _ = run(task, knower(*texts, *(item.solved for item in asked), tokenizer=tokenizer))
    assert result.value == 1.0


@pytest.mark.parametrize("task", ["continuation", "name_function"])
def test_a_model_that_knows_nothing_is_near_chance(task: str, run):
    result, items = run(task, max_examples=48)
    assert result.chance == 0.25
    assert 0.05 < result.value < 0.5
    assert result.majority >= 0.25
    assert all((item.margin > 0) == (item.value == 1) for item in items)


@pytest.mark.parametrize("task", ["continuation", "name_function"])
def test_a_tie_is_wrong(task: str, run):
    def indifferent(rows):
        return [FakeScores(np.ones(len(row) - 1), np.zeros(len(row) - 1, bool)) for row in rows]

    assert run(task, indifferent)[0].value == 0.0


@pytest.mark.parametrize("task", ASKING)
def test_shots_are_recorded_with_each_item(task: str, run):
    result, items = run(task, num_shots=2)
    assert result.num_shots == 2
    assert result.mean_demonstrations == 2.0
    assert all(len(item.demonstrations) == 2 and item.item_id not in item.demonstrations for item in items)


@pytest.mark.parametrize("task", ASKING)
def test_what_does_not_fit_is_recorded(task: str, run):
    result, items = run(task, num_shots=3, sequence_length=12)
    assert result.mean_demonstrations < 3
    assert any(item.truncated_tokens > 0 for item in items)


@pytest.mark.parametrize("task", ASKING)
def test_no_more_than_max_examples_are_asked(task: str, run):
    few, many = run(task, max_examples=5)[1], run(task, max_examples=30)[1]
    assert [item.item_id for item in few] == [item.item_id for item in many[:5]]


def test_heldout_scores_every_token_of_every_document_once(run, documents, tokenizer):
    result, items = run("heldout", sequence_length=7)
    sizes = {document.id: len(tokenizer.encode(document.text)) for document in documents}
    assert {item.item_id: item.weight for item in items} == sizes
    assert {item.item_id: item.bytes for item in items} == {each.id: len(each.text.encode()) for each in documents}
    nats, size = sum(item.value for item in items), sum(item.bytes or 0 for item in items)
    assert result.bits_per_byte == pytest.approx(nats / math.log(2) / size)
    assert (result.metric, result.chance) == ("cross_entropy", None)


def test_heldout_takes_five_documents_an_example(run):
    assert run("heldout", max_examples=3)[0].num_examples == 15


def test_heldout_takes_no_shots(run):
    with pytest.raises(ValueError, match="takes no demonstrations, but num_shots=1"):
        run("heldout", num_shots=1)


@pytest.mark.parametrize("task", TASKS)
def test_text_without_items_has_an_unknown_value(task: str, run, tokenizer):
    result, items = run(task, heldout=FakeHeldOut([], tokenizer))
    assert (result.value, result.bits_per_byte, result.num_examples, items) == (None, None, 0, [])


@pytest.mark.parametrize("task", TASKS)
def test_a_diverged_model_is_an_error_that_says_so(task: str, run):
    def diverged(rows):
        return [FakeScores(np.full(len(row) - 1, np.nan), np.zeros(len(row) - 1, bool)) for row in rows]

    with pytest.raises(ValueError, match="training has diverged"):
        run(task, diverged)
