import math

import pytest
from fake_evaluation import Constant, FakeHeldOut, Guesser, Knower

from glam.config import EvalConfig
from glam.evaluation import TASKS
from glam.evaluation.names import asks_files, find_task
from glam.evaluation.questions import from_documents
from glam.evaluation.runner import examination, joined
from glam.records import EvalResult, ItemScore, Scored

ABOUT_TEXT = [name for name in TASKS if not asks_files(name)]
ASKING = [name for name in ABOUT_TEXT if TASKS[name].takes_shots]


@pytest.fixture
def run(heldout, tokenizer):
    def call(task: str, model=None, **changes) -> tuple[EvalResult, tuple[ItemScore, ...]]:
        options = {"num_shots": 0, "sequence_length": 200, "heldout": heldout, "max_examples": 30} | changes
        judged = EvalConfig(max_examples=options.pop("max_examples"))
        examined = examination(find_task(task), judged=judged, tokenizer=tokenizer, **options)
        scored = examined.score(model or Guesser(), 0, examined.num_items)
        return examined.result(scored), scored.items

    return call


@pytest.mark.parametrize("task", ABOUT_TEXT)
def test_the_value_is_the_weighted_mean_of_its_items(task: str, run):
    result, items = run(task)
    assert result.value == pytest.approx(sum(item.value for item in items) / sum(item.weight for item in items))
    assert result.num_examples == len(items)
    assert result.seconds is not None


@pytest.mark.parametrize("task", ABOUT_TEXT)
def test_the_same_question_twice_gives_the_same_answer(task: str, run):
    first, second = run(task), run(task)
    assert first[1] == second[1]
    assert first[0].value == second[0].value


@pytest.mark.parametrize("task", ASKING)
def test_a_model_that_knows_the_text_is_right(task: str, run, documents, tokenizer):
    texts = [" ".join(document.text.split()) for document in documents]
    asked = from_documents(TASKS[task], documents, EvalConfig(max_examples=None)).asked
    result, _ = run(task, Knower(*texts, *(item.solved for item in asked), tokenizer=tokenizer))
    assert result.value == 1.0


@pytest.mark.parametrize("task", ["continuation", "name_function"])
def test_a_model_that_knows_nothing_is_near_chance(task: str, run):
    result, items = run(task, max_examples=48)
    assert result.chance == 0.25
    assert 0.05 < result.value < 0.5
    assert result.majority >= 0.25
    assert all((item.margin > 0) == (item.value == 1) for item in items)


@pytest.mark.parametrize("task", ["continuation", "name_function"])
def test_of_equal_choices_the_first_is_chosen(task: str, run):
    _, items = run(task, Constant(1.0), max_examples=48)
    # Choices of equal likelihood per token: the law holds where all have as many tokens, and always per token.
    assert all(item.chosen == 0 and item.value == float(item.right == (0,)) for item in items)
    assert all(item.margin == pytest.approx(0) for item in items)


@pytest.mark.parametrize("task", ABOUT_TEXT)
@pytest.mark.parametrize("num_shots", [0, 2])
def test_pieces_are_the_whole(task: str, num_shots: int, heldout, tokenizer):
    kind = find_task(task)
    if num_shots and not kind.takes_shots:
        return
    examined = examination(
        kind,
        num_shots=num_shots,
        judged=EvalConfig(max_examples=10),
        tokenizer=tokenizer,
        sequence_length=200,
        heldout=heldout,
    )
    whole = examined.score(Guesser(), 0, examined.num_items)
    pieces = [
        examined.score(Guesser(), first, min(first + 3, examined.num_items))
        for first in range(0, examined.num_items, 3)
    ]
    assert joined(pieces).items == whole.items
    assert joined(pieces).load_LE == whole.load_LE


def piece(joules: float | None) -> Scored:
    ends = {} if joules is None else {"energy_low_joules": joules / 2, "energy_high_joules": 2 * joules}
    method = "none" if joules is None else "power_model"
    return Scored(items=(), seconds=1.0, energy_joules=joules, energy_method=method, **ends)


def test_energy_of_pieces_sums_with_its_range_and_one_unknown_piece_makes_it_unknown():
    whole = joined([piece(4.0), piece(6.0)])
    assert (whole.energy_joules, whole.energy_low_joules, whole.energy_high_joules) == (10.0, 5.0, 20.0)
    assert whole.energy_method == "power_model"
    assert joined([piece(4.0), piece(None)]).energy_joules is None
    assert joined([piece(4.0), piece(None)]).energy_method == "none"
    # As a folder has it that was begun before pieces knew their energy.
    assert joined([Scored.model_validate({"items": (), "seconds": 1.0}), piece(4.0)]).energy_joules is None


@pytest.mark.parametrize("task", ABOUT_TEXT)
def test_a_result_says_what_its_pieces_used(task: str, heldout, tokenizer):
    kind, judged = find_task(task), EvalConfig(max_examples=5)
    examined = examination(kind, num_shots=0, judged=judged, tokenizer=tokenizer, sequence_length=200, heldout=heldout)
    scored = examined.score(Guesser(), 0, examined.num_items)
    assert examined.result(scored).energy_joules is None
    known = scored.model_copy(update=piece(4.0).model_dump(include={"energy_joules", "energy_method"}))
    result = examined.result(known)
    assert (result.energy_joules, result.energy_low_joules, result.energy_method) == (4.0, None, "power_model")


@pytest.mark.parametrize("task", ASKING)
def test_shots_are_recorded_with_each_item(task: str, run):
    result, items = run(task, num_shots=2)
    assert result.num_shots == 2
    assert result.mean_demonstrations == 2.0
    assert all(len(item.demonstrations) == 2 and item.item_id not in item.demonstrations for item in items)


@pytest.mark.parametrize("task", ASKING)
def test_what_does_not_fit_is_counted_and_not_asked(task: str, run):
    result, items = run(task, num_shots=3, sequence_length=28)
    too_long = [item for item in items if item.value is None]
    assert result.num_too_long == len(too_long)
    assert result.num_examples == len(items) - len(too_long)
    assert all(item.excess_tokens > 0 and item.demonstrations == () for item in too_long)
    assert all(len(item.demonstrations) + item.num_dropped_demonstrations == 3 for item in items)
    assert result.mean_demonstrations is None or result.mean_demonstrations < 3


@pytest.mark.parametrize("task", ASKING)
def test_a_model_for_which_everything_is_too_long_has_no_value(task: str, run):
    result, items = run(task, sequence_length=3)
    assert (result.value, result.num_examples, result.num_too_long) == (None, 0, len(items))
    assert result.chance is None


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


@pytest.mark.parametrize("task", ABOUT_TEXT)
def test_text_without_items_has_an_unknown_value(task: str, run, tokenizer):
    result, items = run(task, heldout=FakeHeldOut([], tokenizer))
    assert (result.value, result.bits_per_byte, result.num_examples, items) == (None, None, 0, ())


@pytest.mark.parametrize("task", ABOUT_TEXT)
def test_a_diverged_model_is_an_error_that_says_so(task: str, run):
    with pytest.raises(ValueError, match="training has diverged"):
        run(task, Constant(math.nan))


def test_text_is_needed_by_tasks_about_text(run):
    with pytest.raises(ValueError, match="asks about held-out text, and none belongs to this checkpoint"):
        run("heldout", heldout=None)


def test_a_benchmark_needs_its_files(run):
    with pytest.raises(ValueError, match="boolq: asks about the files of a benchmark, and no folder"):
        run("boolq")
