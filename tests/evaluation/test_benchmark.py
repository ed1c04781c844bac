"""Files of a benchmark: what is wrong with one is said with task, file, row and field."""

import json
import os
from pathlib import Path

import pytest

from glam.config import EvalConfig
from glam.evaluation.benchmark import BenchmarkError
from glam.evaluation.names import identity
from glam.evaluation.questions import from_files
from glam.evaluation.task import AskingTask
from glam.evaluation.tasks.arc import ARC_EASY
from glam.evaluation.tasks.copa import COPA
from glam.evaluation.tasks.coqa import COQA
from glam.evaluation.tasks.piqa import PIQA
from glam.evaluation.tasks.record import RECORD
from glam.evaluation.tasks.rte import RTE
from glam.evaluation.tasks.triviaqa import TRIVIAQA
from glam.evaluation.tasks.winogrande import WINOGRANDE

BENCHMARKS = Path(__file__).parent / "benchmarks"
ROW = {
    "id": "q1",
    "question": "Which of these floats?",
    "choices": {"text": ["a cork", "a nail"], "label": ["A", "B"]},
    "answerKey": "A",
}
ALL = EvalConfig(max_examples=None)


def written(folder: Path, *rows: object, task: str = "arc_easy", name: str = "eval.jsonl") -> Path:
    (folder / task).mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / task / name).write_text("".join(line + "\n" for line in lines), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{not json", r"row 2: no JSON"),
        ([1, 2], r"row 2: a JSON list, no object"),
        ({**ROW, "id": "q2", "question": None}, r"row 2: field 'question' is None, no str"),
        ({key: value for key, value in ROW.items() if key != "answerKey"}, r"row 2: no field 'answerKey'; it has 'id'"),
        ({**ROW, "id": "q2", "answerKey": "E"}, r"row 2: field 'answerKey' is 'E', none of its labels A, B"),
        (
            {**ROW, "id": "q2", "choices": {"text": ["a", " "], "label": ["A", "B"]}},
            r"row 2: choice 1 is empty \(field 'choices.text'\)",
        ),
        (ROW, r"row 2: its id 'q1' is that of row 1 too"),
    ],
)
def test_a_bad_row_is_named(row: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=rf"arc_easy: .*eval\.jsonl {message}"):
        from_files(ARC_EASY, written(tmp_path, ROW, row), ALL)


def test_a_missing_file_is_named_with_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(
        BenchmarkError, match=r"arc_easy: no test\.jsonl or eval\.jsonl in .*arc_easy; an example a line"
    ):
        from_files(ARC_EASY, tmp_path, ALL)


def test_an_answer_outside_the_choices_is_named(tmp_path: Path) -> None:
    row = {"goal": "Open a jar.", "sol1": "Turn its lid.", "sol2": "Turn its label.", "label": 2}
    with pytest.raises(BenchmarkError, match=r"piqa: .* row 1: field 'label' is 2, none of its 2 choices, from 0"):
        from_files(PIQA, written(tmp_path, row, task="piqa"), ALL)


def test_a_number_that_is_a_truth_value_is_refused(tmp_path: Path) -> None:
    row = {"goal": "Open a jar.", "sol1": "Turn its lid.", "sol2": "Turn its label.", "label": True}
    with pytest.raises(BenchmarkError, match="field 'label' is True, no int"):
        from_files(PIQA, written(tmp_path, row, task="piqa"), ALL)


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        (PIQA, {"goal": "a \ud83d", "sol1": "b", "sol2": "c", "label": 0}, "surrogates not allowed"),
        (COQA, {"additional_answers": 5}, "TypeError"),
        (COQA, {"additional_answers": "0"}, ""),
        (COQA, {"answers": {"input_text": 7}}, ""),
        (WINOGRANDE, {"qID": "x-1", "option1": " "}, "field 'option1' is empty"),
        (RECORD, {"idx": {"passage": 9, "query": 9}, "entities": ["Ann", ""]}, "field 'entities' has an empty one"),
        (COPA, {"idx": 99, "choice2": ""}, "choice 1 is empty \\(field 'choice2'\\)"),
    ],
)
def test_a_shape_that_nobody_foresaw_is_named_with_its_row(
    task: AskingTask, row: dict[str, object], message: str, tmp_path: Path
) -> None:
    published = json.loads((BENCHMARKS / task.name / "eval.jsonl").read_text("utf-8").splitlines()[0])
    folder = written(tmp_path, published, {**published, "id": "other", **row}, task=task.name)
    with pytest.raises(BenchmarkError, match=rf"{task.name}: .*eval\.jsonl row 2: .*{message}"):
        from_files(task, folder, ALL)


def test_a_nested_field_that_is_missing_is_named(tmp_path: Path) -> None:
    row = {"passage": "Ann met Bo.", "query": "@placeholder left.", "entities": ["Ann"], "answers": ["Ann"], "idx": {}}
    with pytest.raises(BenchmarkError, match=r"record: .* row 1: no field 'idx\.passage'"):
        from_files(RECORD, written(tmp_path, row, task="record"), ALL)


def test_the_same_example_twice_is_two_items_where_there_are_no_ids(tmp_path: Path) -> None:
    row = {"goal": "Open a jar.", "sol1": "Turn its lid.", "sol2": "Turn its label.", "label": 0}
    first, second = from_files(PIQA, written(tmp_path, row, row, task="piqa"), ALL).asked
    assert first.id != second.id
    assert first.prompt == second.prompt


@pytest.mark.parametrize(("task", "field", "given"), [(RTE, "idx", 7), (TRIVIAQA, "question_id", "tc_1")])
def test_a_published_id_is_the_items_and_stands_once(
    task: AskingTask, field: str, given: object, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (BENCHMARKS / task.name / "eval.jsonl").read_text("utf-8").splitlines()[:2]]
    (item,) = from_files(task, written(tmp_path, {**rows[0], field: given}, task=task.name), ALL).asked
    assert item.id == str(given)
    twice = written(tmp_path, *({**row, field: given} for row in rows), task=task.name)
    with pytest.raises(BenchmarkError, match=rf"row 2: its id '{given}' is that of row 1 too"):
        from_files(task, twice, ALL)


def test_without_a_pool_there_are_no_demonstrations(tmp_path: Path) -> None:
    assert from_files(ARC_EASY, written(tmp_path, ROW), ALL).pool == ()


def test_a_limit_draws_by_seed_and_the_harness_takes_the_first(tmp_path: Path) -> None:
    folder = written(tmp_path, *({**ROW, "id": f"q{number}"} for number in range(20)))

    def ids(**changes) -> list[str]:
        return [item.id for item in from_files(ARC_EASY, folder, EvalConfig(**changes)).asked]

    few, many = ids(max_examples=5), ids(max_examples=20)
    assert few == many[:5]
    assert sorted(many) == sorted(ids(max_examples=None))
    assert ids(max_examples=5, seed=1) != few
    assert ids(max_examples=5, prompts="harness") == ["q0", "q1", "q2", "q3", "q4"]


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    settings = EvalConfig(max_examples=None, benchmarks=str(written(tmp_path, ROW)))
    before = identity("arc_easy", settings)
    written(tmp_path, {**ROW, "question": "Which of these sinks?"})
    assert identity("arc_easy", settings) != before
    written(tmp_path, ROW)
    assert identity("arc_easy", settings) == before
    file = tmp_path / "arc_easy" / "eval.jsonl"
    times = file.stat()
    written(tmp_path, {**ROW, "answerKey": "B"})
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert file.stat().st_size == times.st_size
    assert identity("arc_easy", settings) != before, "as `rsync -t` and `tar` leave it"
