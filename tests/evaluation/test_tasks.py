"""Laws of every task that asks items, then what each promises of its own."""

import pytest

from glam.config import EvalConfig
from glam.evaluation import TASKS
from glam.evaluation.names import asks_files, find_task, shots_of
from glam.evaluation.passages import paragraphs
from glam.evaluation.questions import from_documents
from glam.evaluation.task import Completion, Generation, HeldoutLikelihood, Item, MultipleChoice
from glam.evaluation.tasks import PUBLISHED
from glam.records import Document

ASKING = [name for name, task in TASKS.items() if not isinstance(task, HeldoutLikelihood) and not asks_files(name)]


def items_of(name: str, documents: list[Document], seed: int = 0) -> list[Item]:
    task = TASKS[name]
    assert isinstance(task, MultipleChoice | Completion)
    return list(from_documents(task, documents, EvalConfig(max_examples=None, seed=seed)).asked)


@pytest.mark.parametrize("name", ASKING)
def test_items_do_not_depend_on_the_order_of_documents(name: str, documents):
    items = items_of(name, documents)
    assert len(items) > 20
    assert items_of(name, documents[::-1]) == items


@pytest.mark.parametrize("name", ASKING)
def test_another_seed_draws_otherwise(name: str, documents):
    assert items_of(name, documents, seed=1) != items_of(name, documents)


@pytest.mark.parametrize("name", ASKING)
def test_every_item_is_well_formed(name: str, documents):
    units = {document.id: document.unit for document in documents}
    items = items_of(name, documents)
    assert len({item.id for item in items}) == len(items)
    for item in items:
        assert item.cluster == units[item.id]
        assert len(set(item.choices)) == len(item.choices)
        assert all(choice[0] == " " and choice.strip() for choice in item.choices)
        assert item.chance is not None
        assert 0 < item.chance < 1


@pytest.mark.parametrize("name", ASKING)
def test_no_documents_make_no_items(name: str):
    assert items_of(name, []) == []


@pytest.mark.parametrize("name", ["continuation", "name_function"])
def test_the_right_answer_is_at_every_place(name: str, documents):
    assert {item.answer for item in items_of(name, documents)} == {0, 1, 2, 3}


def test_the_last_word_occurred_before(documents):
    for item in items_of("last_word", documents):
        assert item.choices[0].strip() in item.prompt.split()


def test_the_chance_of_the_last_word_is_its_share_of_the_passage():
    text = "Give the buffer to the reader and the reader fills it until nothing is left in that buffer."
    (item,) = items_of("last_word", [Document(id="d", text=text, source="s", unit="u")])
    assert (item.prompt[-4:], item.choices) == ("that", (" buffer",))
    assert item.chance == pytest.approx(1 / 17)


def test_the_true_continuation_follows_its_context(documents):
    texts = {document.id: " ".join(document.text.split()) for document in documents}
    for item in items_of("continuation", documents):
        assert item.solved in texts[item.id]
        wrong = [choice for index, choice in enumerate(item.choices) if index != item.answer]
        assert not any(item.prompt + choice in texts[item.id] for choice in wrong)


def test_continuations_come_from_the_same_source(documents):
    mixed = [document.model_copy(update={"source": f"s{index % 2}"}) for index, document in enumerate(documents)]
    by_source = {each.source: " ".join(d.text for d in mixed if d.source == each.source) for each in mixed}
    source = {document.id: document.source for document in mixed}
    for item in items_of("continuation", mixed):
        assert all(choice.strip() in " ".join(by_source[source[item.id]].split()) for choice in item.choices)


def test_the_docstring_never_holds_a_name_among_the_choices(documents):
    for item in items_of("name_function", documents):
        assert not any(choice.strip().casefold() in item.prompt.casefold() for choice in item.choices)


def test_a_docstring_that_gives_its_name_away_is_left_out(documents):
    told = documents[0].model_copy(update={"text": f"Calls {documents[0].name} and gives back what it gave back."})
    assert told.id not in {item.id for item in items_of("name_function", [told, *documents[1:]])}


def test_wrong_names_come_from_the_same_package_where_it_has_enough(documents):
    by_unit = {d.unit: {(e.name or "").rpartition(".")[2] for e in documents if e.unit == d.unit} for d in documents}
    for item in items_of("name_function", documents):
        assert {choice.strip() for choice in item.choices} <= by_unit[item.cluster]


def test_prose_leaves_code_tables_and_parameter_lists_out():
    prose = ("A sentence of five words.", "Another line\nof plain prose here.")
    others = (">>> call(1)", "| a | b | c | d | e |", "Short one.")
    lists = ("See Also\n--------\nSome other function of the same kind", "name\n    What the thing is called by people")
    text = "\n\n".join((prose[0], *others, *lists, prose[1]))
    document = Document(id="d", text=text, source="s", unit="u")
    assert paragraphs(document) == ["A sentence of five words.", "Another line of plain prose here."]


def test_names_know_which_tasks_take_demonstrations():
    assert {name: shots_of(name, (3, 0)) for name in TASKS} == {
        name: (0,) if name == "heldout" else (3, 0) for name in TASKS
    }


def test_the_papers_number_of_shots_is_each_tasks_own_and_asked_once():
    assert {name: shots_of(name, ("paper",))[0] for name in ("copa", "drop", "nq_open")} == {
        "copa": 16,
        "drop": 2,
        "nq_open": 64,
    }
    assert shots_of("triviaqa", (0, 1, "paper")) == (0, 1)
    with pytest.raises(ValueError, match="the paper has no task 'last_word'"):
        shots_of("last_word", (0, "paper"))


def test_an_unknown_task_is_refused_with_what_exists():
    with pytest.raises(ValueError, match=r"unknown task 'bool'; known: anli_r1, .*continuation.*heldout, .*last_word"):
        find_task("bool")


def test_the_paper_has_29_tasks_of_which_8_are_written():
    kinds = [type(task) for task in PUBLISHED.values()]
    assert (len(kinds), kinds.count(Generation), kinds.count(MultipleChoice)) == (29, 8, 21)
    assert [task.paper.group == "NLG" for task in PUBLISHED.values()] == [kind is Generation for kind in kinds]
