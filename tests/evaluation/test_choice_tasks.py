"""The 21 benchmarks that are answered by choosing: laws of all of them, then what each makes of a row."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.task import Item, MultipleChoice, Row
from glam.evaluation.tasks.anli import ANLI_R1, ANLI_R2, ANLI_R3
from glam.evaluation.tasks.arc import ARC_CHALLENGE, ARC_EASY
from glam.evaluation.tasks.boolq import BOOLQ
from glam.evaluation.tasks.cb import CB
from glam.evaluation.tasks.copa import COPA
from glam.evaluation.tasks.hellaswag import HELLASWAG
from glam.evaluation.tasks.multirc import MULTIRC
from glam.evaluation.tasks.openbookqa import OPENBOOKQA
from glam.evaluation.tasks.piqa import PIQA
from glam.evaluation.tasks.race import RACE_HIGH, RACE_MIDDLE
from glam.evaluation.tasks.record import RECORD
from glam.evaluation.tasks.rte import RTE
from glam.evaluation.tasks.storycloze import STORYCLOZE
from glam.evaluation.tasks.wic import WIC
from glam.evaluation.tasks.winograd import WINOGRAD
from glam.evaluation.tasks.winogrande import WINOGRANDE
from glam.evaluation.tasks.wsc import WSC

INVENTED = Path(__file__).parent / "benchmarks"
REAL = Path(__file__).parents[3] / "shared" / "data" / "benchmarks"
TASKS = (
    *(HELLASWAG, STORYCLOZE, WINOGRAD, WINOGRANDE, PIQA, ARC_EASY, ARC_CHALLENGE, OPENBOOKQA, RACE_MIDDLE, RACE_HIGH),
    *(BOOLQ, CB, COPA, RTE, WIC, WSC, MULTIRC, RECORD, ANLI_R1, ANLI_R2, ANLI_R3),
)
PARTIAL = ("winograd", "winogrande")
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def rows_of(task: MultipleChoice, folder: Path = INVENTED) -> list[Row]:
    assert isinstance(task.source, Benchmark)
    return task.source.asked(folder, task.name)


def items_of(task: MultipleChoice) -> list[Item]:
    return [task.item(row) for row in rows_of(task)]


def pool_of(task: MultipleChoice, folder: Path = INVENTED) -> list[Row]:
    assert isinstance(task.source, Benchmark)
    return task.source.pooled(folder, task.name)


def answer_field(task: MultipleChoice, row: Row) -> tuple[str, Sequence[Any], Any]:
    """The field that names the right answer, its values in the order of the choices, and a hidden one."""
    match task.name:
        case "hellaswag":
            return "label", ("0", "1", "2", "3"), ""
        case "storycloze":
            return "answer_right_ending", (1, 2), -1
        case "winogrande":
            return "answer", ("1", "2"), ""
        case "arc_easy" | "arc_challenge" | "openbookqa":
            return "answerKey", row["choices"]["label"], ""
        case "race_middle" | "race_high":
            return "answer", "ABCD", ""
        case "record":
            return "answers", [[entity] for entity in dict.fromkeys(row["entities"])], []
        case _:
            return "label", range(len(task.choices(row))), -1


def assert_well_formed(task: MultipleChoice, item: Item) -> None:
    assert item.chance is not None
    assert 0 < item.chance < 1
    starts = item.contexts or (item.prompt,) * len(item.choices)
    assert len(starts) == len(item.choices) >= 2
    assert all(start == start.rstrip() for start in starts)
    assert all(not choice[0].isalnum() for choice in item.choices)
    assert len({start + choice for start, choice in zip(starts, item.choices, strict=True)}) == len(starts)
    if task.name in PARTIAL:
        assert len(set(item.choices)) == 1
        assert all(start.startswith(item.prompt) for start in starts)
    else:
        assert not item.contexts
        assert item.prompt
        assert all(choice.startswith(" ") for choice in item.choices)
    assert item.solved == starts[item.answer] + item.choices[item.answer]
    assert item.solved == item.solved.rstrip()


@every_task
def test_items_are_well_formed(task):
    rows = [*rows_of(task), *pool_of(task)]
    assert len(rows) == 6
    for row in rows:
        assert_well_formed(task, task.item(row))


@every_task
def test_ids_tell_items_apart(task):
    for items in (items_of(task), [task.item(row) for row in pool_of(task)]):
        assert len({item.id for item in items}) == len(items)


@every_task
def test_the_published_answer_names_its_choice(task):
    for row in rows_of(task):
        field, values, _ = answer_field(task, row)
        assert row[field] in values or task.name == "record"
        for place, value in enumerate(values):
            assert task.item({**row, field: value}).right == (place,)


@every_task
def test_a_hidden_answer_is_none_and_its_field_is_named(task):
    row = rows_of(task)[0]
    field, _, hidden = answer_field(task, row)
    with pytest.raises(ValueError, match=rf"field '{field}' .*none of its|none of its choices is right"):
        task.item({**row, field: hidden})


@every_task
def test_every_field_that_is_asked_for_is_a_published_one(task):
    published = {name for row in rows_of(task) for name in row}
    assert set(task.source.fields) <= published


@every_task
def test_each_says_what_the_paper_says(task):
    assert task.paper is not None
    assert task.paper.group == "NLU"
    assert task.paper.ours
    assert task.takes_shots
    assert (task.metric == "f1a") == (task.name == "multirc")
    assert (task.normalise == "none") == (task.name in ("copa", "record"))


def test_an_error_names_field_value_and_labels():
    with pytest.raises(ValueError, match=r"field 'answerKey' is 'E', none of its labels A, B, C, D"):
        ARC_EASY.item({**rows_of(ARC_EASY)[0], "answerKey": "E"})
    with pytest.raises(ValueError, match=r"no field 'choices.text'"):
        ARC_EASY.item({**rows_of(ARC_EASY)[0], "choices": {"label": ["A"]}})
    with pytest.raises(ValueError, match=r"field 'options' is \['a', 1\], no list of texts"):
        RACE_HIGH.item({**rows_of(RACE_HIGH)[0], "options": ["a", 1]})


def test_hellaswag_has_no_marks_of_wikihow():
    first, _, last = items_of(HELLASWAG)
    assert first.prompt == "Mending a kite: A boy lays a torn kite on the grass. he"
    assert last.prompt == (
        "Home and Garden: How to store tulip bulbs. Let the leaves turn yellow "
        "Wait some weeks before you lift the bulbs."
    )
    assert last.choices == (
        " Feed the bulbs warm milk. Use a spoon. Sing.",
        " Shake off the soil and keep them dry. Choose a cool shelf. Air must reach them.",
        " Sell the garden Move to a ship.",
        " Ask the leaves to turn green again.",
    )


def test_endings_of_one_scene_stay_together():
    assert [item.cluster for item in items_of(HELLASWAG)] == ["activitynet~v_b1", "activitynet~v_b1", "wikihow~901"]


def test_the_ends_of_a_story_count_from_one():
    item = items_of(STORYCLOZE)[0]
    assert item.prompt.startswith("Tariq planted a bean. He watered it")
    assert (item.answer, item.choices[1]) == (1, " He was proud of his plant.")


def winograd(text: str, pronoun: str, *options: str) -> Item:
    start = text.index(pronoun)
    return WINOGRAD.item(
        {"text": text, "pronoun": pronoun, "pronoun_loc": start, "options": options and list(options), "label": 0}
        | {"id": "1", "cluster": "1"}
    )


@pytest.mark.parametrize(
    ("text", "pronoun", "options", "contexts", "ending"),
    [
        (
            *("The goat chewed the rope, so Petra replaced it.", "it", ("The goat", "The rope")),
            *(("… replaced the goat", "… replaced the rope"), "."),
        ),
        (
            *("Some fled. They had lied.", "They", ("the bakers", "Ida's sons")),
            *(("Some fled. The bakers", "Some fled. Ida's sons"), " had lied."),
        ),
        (
            *("Jo and Al met after his show.", "his", ("Jo", "Al")),
            *(("… after Jo's", "… after Al's"), " show."),
        ),
        (
            *("Foxes and James hid, and their tails shook.", "their", ("The foxes", "James")),
            *(("… and the foxes'", "… and James'"), " tails shook."),
        ),
        (
            *("Ann and Eve looked for her hat", "her", ("Ann", "Eve")),
            *(("… for Ann's", "… for Eve's"), " hat"),
        ),
        (
            *("Ann wrote to Eve and told her that.", "her", ("Ann", "Eve")),
            *(("… told Ann", "… told Eve"), " that."),
        ),
        (
            *("Ann and Eve saw a dog that followed her", "her", ("Ann", "Eve")),
            *(("… followed Ann", "… followed Eve"), "."),
        ),
        (
            *("It fell on the plate and broke.", "It", ("the cup", "the plate")),
            *(("The cup", "The plate"), " fell on the plate and broke."),
        ),
    ],
)
def test_an_option_reads_as_the_pronoun_did(text, pronoun, options, contexts, ending):
    item = winograd(text, pronoun, *options)
    assert item.prompt == text[: text.index(pronoun)].rstrip()
    for context, expected in zip(item.contexts, contexts, strict=True):
        assert context.endswith(expected.removeprefix("…"))
        assert expected.startswith("…") or context == expected
    assert item.choices == (ending, ending)


def test_winograd_as_it_is_published():
    first, second, third = items_of(WINOGRAD)
    assert first.contexts[0] == "Viktor lent Anton a bicycle after breaking Viktor's"
    assert second.solved == ("The bakers complained about the millers. The millers had raised the price of flour.")
    assert third.solved == "The goat chewed the rope, so Petra had to replace the rope."
    assert first.cluster == "anton / viktor"


def test_winograd_shows_others_that_are_asked():
    assert pool_of(WINOGRAD) == rows_of(WINOGRAD)


def test_a_pronoun_elsewhere_is_an_error():
    row = rows_of(WINOGRAD)[0]
    for start in (-1, 3, 1000):
        with pytest.raises(ValueError, match=rf"its text has no 'his' at pronoun_loc {start}"):
            WINOGRAD.item({**row, "pronoun_loc": start})
    with pytest.raises(ValueError, match="is empty"):
        WINOGRAD.item({**row, "options": ["Viktor", " "]})


def test_winogrande_fills_its_blank():
    first, second, third = items_of(WINOGRANDE)
    assert first.prompt == "The poster fell off the wall since the"
    assert first.contexts == (f"{first.prompt} poster", f"{first.prompt} wall")
    assert first.choices == (" was too heavy.",) * 2
    assert first.cluster == second.cluster == "EVALX1"
    assert third.choices[0] == "'s sister went camping without one"


def test_twins_of_the_hub_are_known_by_their_options():
    rows = [{key: value for key, value in row.items() if key != "qID"} for row in rows_of(WINOGRANDE)]
    assert isinstance(WINOGRANDE.source, Benchmark)
    assert WINOGRANDE.source.cluster is not None
    assert [WINOGRANDE.source.cluster(row) for row in rows] == ["poster / wall", "poster / wall", "Edith / Rhea"]


@pytest.mark.parametrize("sentence", ["No blank here.", "A _ and a _."])
def test_a_sentence_has_one_blank(sentence):
    with pytest.raises(ValueError, match=r"field 'sentence' has (0|2) blanks, not one"):
        WINOGRANDE.item({**rows_of(WINOGRANDE)[0], "sentence": sentence})


def test_white_space_around_solutions_goes():
    item = items_of(PIQA)[2]
    assert (item.prompt, item.choices) == ("belt", (" can hold up a river", " can hold up trousers"))


def test_exam_questions_are_put_plainly():
    assert items_of(ARC_EASY)[1].solved == "Question: What makes a shadow on a sunny day?\nAnswer: blocked light"
    assert [item.chance for item in (*items_of(ARC_EASY)[2:], *items_of(ARC_CHALLENGE)[2:])] == [1 / 3, 1 / 5]
    assert items_of(OPENBOOKQA)[0].solved == "Question: A bird builds its nest to\nAnswer: raise chicks"


def test_questions_of_an_article_stay_together():
    first, second, third = items_of(RACE_MIDDLE)
    assert first.prompt.endswith("liked the story.\nQuestion: Why did Tomas walk?\nAnswer:")
    assert first.cluster == second.cluster == "middle12.txt" != third.cluster


def test_boolq_has_one_question_mark():
    first, second, _ = items_of(BOOLQ)
    assert first.prompt.endswith("\nQuestion: is the tower of orvane taller than its church?\nAnswer:")
    assert second.prompt.endswith("\nQuestion: is the tower of orvane open to visitors?\nAnswer:")
    assert (first.solved[-4:], second.solved[-3:]) == (" yes", " no")


@pytest.mark.parametrize(
    ("task", "words"),
    [(CB, ("true", "false", "neither")), (ANLI_R2, ("true", "neither", "false")), (RTE, ("True", "False", "True"))],
    ids=lambda each: getattr(each, "name", ""),
)
def test_inference_answers_in_words(task, words):
    assert tuple(item.solved.rsplit("Answer: ", 1)[1] for item in items_of(task)) == words


def test_a_statement_ends_before_its_question():
    assert items_of(ANLI_R1)[0].prompt == (
        "Lorenz Adler, a violin maker, moved to Graz in 1888 and stayed there.\n"
        "Question: Lorenz Adler lived in Graz. true, false, or neither?\nAnswer:"
    )
    assert "\nQuestion: Hops are grown on the plain. True or False?\n" in items_of(RTE)[2].prompt


@pytest.mark.parametrize("task", [ANLI_R3, RTE, BOOLQ], ids=lambda task: task.name)
def test_statements_about_one_text_stay_together(task):
    clusters = [row["cluster"] for row in rows_of(task)]
    same = len({clusters[0], clusters[1]}) == 1
    assert same == (task is not BOOLQ)  # its invented passages differ by a sentence
    assert clusters[2] not in clusters[:2]


def test_copa_joins_cause_and_effect():
    cause, effect, names_me = items_of(COPA)
    assert cause.solved == "The bread went hard because I left it in the open."
    assert effect.solved == "The boys shook the tree so apples fell to the ground."
    assert names_me.choices == (" my boat was blue.", " I'm locked out.")
    with pytest.raises(ValueError, match="field 'question' is 'why', none of its labels cause, effect"):
        COPA.item({**rows_of(COPA)[0], "question": "why"})


def test_wic_asks_about_its_word():
    first, second, third = items_of(WIC)
    assert first.prompt == (
        "A crane lifted the beams.\nThe crane flew south.\n"
        "Question: Is the word 'crane' used in the same way in the two sentences above?\nAnswer:"
    )
    assert first.cluster == second.cluster != third.cluster


def test_wsc_marks_the_pronoun_that_is_meant():
    first, second, third = (item.prompt for item in items_of(WSC))
    assert first == (
        "Ada handed Berta the lamp , and then *she* switched it on.\n"
        "Question: In the text above, does the pronoun *she* refer to Berta?\nAnswer:"
    )
    assert '"Good for *him*," he said.' in second
    assert third.startswith("Olga heard Nina sing before *she* heard the piano.\n")
    for index in (-1, 4, 99):
        with pytest.raises(ValueError, match=f"span2_text 'she' is not word {index} of its text"):
            WSC.item({**rows_of(WSC)[0], "span2_index": index})


def test_multirc_judges_one_candidate():
    first, second, third = items_of(MULTIRC)
    assert first.prompt.endswith(
        "the honey was gone.\nQuestion: What was sold at the fair?\nAnswer: Baskets\nIs this answer right?"
    )
    assert [item.solved.rsplit("?", 1)[1] for item in (first, second, third)] == [" yes", " yes", " no"]
    assert (first.id, first.cluster, third.cluster) == ("3-10-20", "3", "3")


def test_record_accepts_every_name_of_the_one_meant():
    first, second, _ = items_of(RECORD)
    assert first.prompt.endswith("\n- Marsh drew some of the maps himself\n- The museum shows them in June\n-")
    assert first.choices == (
        " Visitors may meet Edwin Marsh on the first day.",
        " Visitors may meet Tolby on the first day.",
        " Visitors may meet Museum of Tolby on the first day.",
        " Visitors may meet Marsh on the first day.",
    )
    assert (first.right, first.chance) == ((0, 3), 1 / 2)
    assert (first.id, second.id) == ("7-70", "7-71")
    assert first.cluster == second.cluster == "7"


def test_record_needs_its_blank_and_its_answers():
    row = rows_of(RECORD)[0]
    with pytest.raises(ValueError, match="its query has no @placeholder"):
        RECORD.item({**row, "query": "Nothing is missing."})
    with pytest.raises(ValueError, match="field 'answers' is 'Ostry', none of its labels Edwin Marsh, Tolby"):
        RECORD.item({**row, "answers": ["Ostry"]})


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="no folder of real benchmarks beside the checkout")
@every_task
def test_every_published_row_makes_an_item(task):
    if not (REAL / task.name).is_dir():
        pytest.skip(f"no {task.name} in {REAL}")
    asked = rows_of(task, REAL)
    assert len(asked) >= 24
    for row in (*asked, *pool_of(task, REAL)):
        assert_well_formed(task, task.item(row))
