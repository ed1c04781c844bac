"""The tasks whose answers are written freely, on invented rows in the published fields."""

import json
from pathlib import Path
from typing import Any

import pytest

from glam.evaluation.answers import CANNOT_ANSWER, UNANSWERABLE
from glam.evaluation.benchmark import Benchmark, BenchmarkError
from glam.evaluation.task import Generation, Item, Row
from glam.evaluation.tasks.coqa import COQA
from glam.evaluation.tasks.drop import DROP
from glam.evaluation.tasks.lambada import LAMBADA
from glam.evaluation.tasks.nq_open import NQ_OPEN
from glam.evaluation.tasks.quac import QUAC
from glam.evaluation.tasks.squad_v2 import SQUAD_V2
from glam.evaluation.tasks.triviaqa import TRIVIAQA
from glam.evaluation.tasks.web_questions import WEB_QUESTIONS

INVENTED = Path(__file__).parent / "benchmarks"
REAL = Path(__file__).parents[3] / "shared" / "data" / "benchmarks"
TASKS = {task.name: task for task in (TRIVIAQA, NQ_OPEN, WEB_QUESTIONS, LAMBADA, DROP, COQA, QUAC, SQUAD_V2)}
NUM_ASKED = dict.fromkeys(TASKS, 3) | {"coqa": 7, "quac": 6}


def source(task: Generation) -> Benchmark:
    assert isinstance(task.source, Benchmark)
    return task.source


def asked(task: Generation, folder: Path = INVENTED) -> list[Item]:
    return [task.item(row) for row in source(task).asked(folder, task.name)]


def records(task: Generation) -> list[dict[str, Any]]:
    with open(INVENTED / task.name / "eval.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def rows_of(task: Generation, tmp_path: Path, *lines: Row) -> list[Row]:
    (tmp_path / task.name).mkdir()
    (tmp_path / task.name / "eval.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return source(task).asked(tmp_path, task.name)


def well_formed(items: list[Item]) -> None:
    assert len({item.id for item in items}) == len(items)
    for item in items:
        assert item.prompt
        assert item.references
        assert item.choices == ()
        assert item.solved.endswith(f" {item.references[0]}")
        assert item.after_demonstrations is None or item.after_demonstrations == item.after_demonstrations.rstrip()


@pytest.mark.parametrize("name", TASKS)
def test_items_are_well_formed(name: str) -> None:
    task = TASKS[name]
    items = asked(task)
    well_formed(items)
    assert len(items) == NUM_ASKED[name]
    pool = [task.item(row) for row in source(task).pooled(INVENTED, name)]
    well_formed(pool)
    assert (pool == items) == (source(task).pool is None)


@pytest.mark.parametrize("name", TASKS)
def test_the_paper_generates_and_names_its_shots(name: str) -> None:
    paper = TASKS[name].paper
    assert paper is not None
    assert paper.group == "NLG"
    assert paper.shots >= 1
    assert paper.ours


@pytest.mark.parametrize("name", TASKS)
def test_the_first_reference_is_right_by_every_metric(name: str) -> None:
    for item in asked(TASKS[name]):
        for metric in TASKS[name].metrics.values():
            assert metric(item.references[0], item.references) == 1.0


@pytest.mark.parametrize("name", TASKS)
def test_another_answer_is_wrong_by_every_metric(name: str) -> None:
    for item in asked(TASKS[name]):
        for metric in TASKS[name].metrics.values():
            assert metric("zebra", item.references) == 0.0


@pytest.mark.parametrize("name", ["triviaqa", "nq_open", "web_questions", "lambada"])
def test_examples_without_a_passage_stand_for_themselves(name: str) -> None:
    assert all(item.cluster == item.id for item in asked(TASKS[name]))


def test_questions_about_one_passage_are_a_cluster() -> None:
    assert [item.cluster for item in asked(DROP)] == ["farm", "farm", "race"]
    assert len({item.cluster for item in asked(SQUAD_V2)}) == 1


def test_an_open_question_stands_alone() -> None:
    first = asked(NQ_OPEN)[0]
    assert first.prompt == "Q: what is the ferry to grey island called\nA:"
    assert first.solved.endswith('\nA: "Patience"')


def test_triviaqa_accepts_the_answer_and_its_other_names() -> None:
    assert asked(TRIVIAQA)[0].references == ("Night-Owl", "Night owl", "The Owl")


def test_a_passage_comes_before_its_question() -> None:
    for task in (DROP, SQUAD_V2):
        for item, record in zip(asked(task), records(task), strict=True):
            passage = record.get("passage") or record["context"]
            assert item.prompt == f"{passage.strip()}\nQ: {record['question'].strip()}\nA:"


def test_drop_accepts_each_published_span() -> None:
    assert [item.references for item in asked(DROP)] == [
        ("20", "20 sheep"),
        ("Olsen and Berg", "Berg and Olsen"),
        ("3 May", "May"),
    ]


def test_squad_v2_spells_out_that_there_is_no_answer() -> None:
    assert [item.references for item in asked(SQUAD_V2)] == [("1933", "until 1933"), (UNANSWERABLE,), ("the well",)]
    assert next(iter(SQUAD_V2.metrics)) == "f1"


def test_lambada_is_continued_and_with_demonstrations_filled_in() -> None:
    for item, record in zip(asked(LAMBADA), records(LAMBADA), strict=True):
        (word,) = item.references
        assert f"{item.prompt} {word}" == record["text"]
        assert item.after_demonstrations == f"{item.prompt} ____. ->"
        assert item.solved == f"{item.prompt} ____. -> {word}"


@pytest.mark.parametrize("task", [COQA, QUAC], ids=lambda task: task.name)
def test_a_turn_follows_the_gold_turns_before_it(task: Generation) -> None:
    rows = source(task).asked(INVENTED, task.name)
    items = [task.item(row) for row in rows]
    for before, item, row in zip([None, *items], items, rows, strict=False):
        assert item.id == f"{item.cluster}-{row['turn']}"
        assert item.prompt.startswith(row["passage"])
        if row["turn"] == 0:
            assert item.prompt == f"{row['passage']}\nQ: {row['question']}\nA:"
        else:
            assert before is not None
            assert item.cluster == before.cluster
            assert item.prompt == f"{before.prompt} {row['earlier'][-1][1]}\nQ: {row['question']}\nA:"
            assert item.prompt.startswith(before.solved)


def test_the_turns_of_a_conversation_in_full() -> None:
    assert asked(COQA)[2].prompt == (
        "Mia's cat sat on the roof. Mia fetched a ladder, but the cat came down by itself.\n"
        "Q: Whose cat was it?\nA: Mia's\nQ: Where was it?\nA: on the roof\nQ: Did it need the ladder?\nA:"
    )


def test_coqa_takes_other_peoples_answers_where_there_are_any() -> None:
    references = [item.references for item in asked(COQA)]
    assert references[1] == ("on the roof", "the roof", "on a roof")
    assert references[3:5] == [("soup",), ("No",)]


def test_conversations_without_an_id_are_named_by_their_content() -> None:
    last, before = asked(COQA)[:-3:-1]
    assert last.cluster == before.cluster != ""
    assert len(last.cluster) == 16


def test_quac_shows_background_section_and_the_word_for_no_answer() -> None:
    item = asked(QUAC)[2]
    assert item.prompt.startswith("Eva Lind was a glass maker.\nLind opened")
    assert f"Q: Who was her teacher?\nA: {CANNOT_ANSWER}\n" in item.prompt
    assert asked(QUAC)[1].references == (CANNOT_ANSWER, CANNOT_ANSWER)


TURN = {"questions": ["Who?", "Why?"]}
QUAC_TURNS = TURN | {"dialogue_id": "d", "background": "", "context": "Some."}


@pytest.mark.parametrize(
    ("task", "row", "field"),
    [
        (TRIVIAQA, {"question": "Who?", "answer": {"aliases": ["Eva"]}}, "answer.value"),
        (TRIVIAQA, {"question": "Who?", "answer": {"value": " ", "aliases": []}}, "answer.value"),
        (TRIVIAQA, {"question": "Who?", "answer": {"value": "Eva"}}, "answer.aliases"),
        (NQ_OPEN, {"question": "who", "answer": []}, "answer"),
        (NQ_OPEN, {"question": "who", "answer": [3]}, "answer"),
        (WEB_QUESTIONS, {"question": "who?", "answers": [" "]}, "answers"),
        (LAMBADA, {"text": "alone "}, "text"),
        (DROP, {"section_id": "s", "passage": "p", "question": "q", "answers_spans": {}}, "answers_spans.spans"),
        (DROP, {"section_id": "s", "passage": "p", "question": "q", "answers_spans": {"spans": []}}, "answers_spans"),
        (SQUAD_V2, {"id": "1", "context": "c", "question": "q", "answers": {}}, "answers.text"),
        (SQUAD_V2, {"id": "1", "context": "c", "question": "q", "answers": {"text": "c"}}, "answers.text"),
        (SQUAD_V2, {"id": "1", "context": "c", "question": "q", "answers": {"text": [""]}}, "answers.text"),
        (COQA, TURN | {"story": "s", "answers": {}}, "answers.input_text"),
        (COQA, TURN | {"story": "s", "answers": {"input_text": ["Eva"]}}, "answers"),
        (COQA, TURN | {"story": "s", "answers": {"input_text": ["Eva", None]}}, "answers.input_text"),
        (
            COQA,
            TURN | {"story": "s", "answers": {"input_text": ["a", "b"]}, "additional_answers": {"0": []}},
            "additional_answers.0.input_text",
        ),
        (QUAC, QUAC_TURNS | {"answers": {"texts": [["a"], ["b"]]}, "orig_answers": {}}, "orig_answers.texts"),
        (QUAC, QUAC_TURNS | {"answers": {"texts": [["a"]]}, "orig_answers": {"texts": ["a", "b"]}}, "answers.texts.1"),
        (
            QUAC,
            QUAC_TURNS | {"answers": {"texts": [["a"], []]}, "orig_answers": {"texts": ["a", "b"]}},
            "answers.texts.1",
        ),
        (QUAC, QUAC_TURNS | {"answers": {"texts": [["a"]]}, "orig_answers": {"texts": ["a"]}}, "orig_answers.texts"),
    ],
)
def test_wrong_contents_are_named(task: Generation, row: dict[str, Any], field: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"field '{field}"):
        [task.item(each) for each in rows_of(task, tmp_path, row)]


@pytest.mark.parametrize("name", TASKS)
def test_every_field_is_needed_in_its_type(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    record = records(task)[0]
    for number, field in enumerate(source(task).fields):
        for line in ({**record, field: 1}, {each: record[each] for each in record if each != field}):
            folder = tmp_path / f"{number}-{field in line}"
            folder.mkdir()
            with pytest.raises(BenchmarkError, match=field):
                rows_of(task, folder, line)


@pytest.mark.parametrize("name", TASKS)
def test_only_the_listed_fields_are_needed(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    lines = [{field: record[field] for field in source(task).fields if field in record} for record in records(task)]
    assert [task.item(row).prompt for row in rows_of(task, tmp_path, *lines)] == [item.prompt for item in asked(task)]


@pytest.mark.real_data
@pytest.mark.parametrize("name", TASKS)
def test_every_published_example_becomes_an_item(name: str) -> None:
    if not REAL.is_dir():
        pytest.skip(f"no benchmarks in {REAL}")
    task = TASKS[name]
    items = asked(task, REAL)
    well_formed(items)
    well_formed([task.item(row) for row in source(task).pooled(REAL, name)])
    for item in items:
        for metric in task.metrics.values():
            assert metric(item.references[0], item.references[:1]) == 1.0
            assert 0.0 <= metric(item.references[-1], item.references) <= 1.0
