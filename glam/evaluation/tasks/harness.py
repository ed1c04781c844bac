"""Tasks as lm-evaluation-harness (0.4.13) words and scores them, so that results can be held against its own.

Its accuracy takes the sum of a choice's log-likelihood, `accuracy_normalised` divides by the choice's characters; what
stands between prompt and choice is a space. Its LAMBADA asks whether greedy decoding writes the word.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from glam.evaluation.fields import place, texts
from glam.evaluation.task import AskingTask, Completion, MultipleChoice, Row
from glam.evaluation.tasks.arc import ARC_CHALLENGE, ARC_EASY
from glam.evaluation.tasks.boolq import BOOLQ
from glam.evaluation.tasks.cb import CB
from glam.evaluation.tasks.copa import COPA
from glam.evaluation.tasks.hellaswag import HELLASWAG
from glam.evaluation.tasks.lambada import LAMBADA
from glam.evaluation.tasks.openbookqa import OPENBOOKQA
from glam.evaluation.tasks.piqa import PIQA
from glam.evaluation.tasks.race import RACE_HIGH
from glam.evaluation.tasks.rte import RTE
from glam.evaluation.tasks.winogrande import WINOGRANDE

CONNECTORS = {"cause": "because", "effect": "therefore"}


def _worded(
    task: MultipleChoice,
    prompt: Callable[[Row], str],
    choices: Callable[[Row], Sequence[str]],
    *,
    normalised: bool = True,
) -> MultipleChoice:
    def follow(row: Row) -> list[str]:
        """White space at the end of a prompt belongs to what follows it."""
        asked = prompt(row)
        return [asked[len(asked.rstrip()) :] + " " + choice for choice in choices(row)]

    return replace(
        task,
        prompt=lambda row: prompt(row).rstrip(),
        choices=follow,
        normalise="none",
        also={"accuracy_normalised": "characters"} if normalised else {},
    )


def _without_marks(text: str) -> str:
    """HellaSwag's, cleaned."""
    return re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def _started(row: Row) -> str:
    return _without_marks(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}")


def _joined(row: Row) -> str:
    """COPA's premise without its full stop."""
    return f"{row['premise'].strip()[:-1]} {CONNECTORS[row['question']]}"


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def _filled(row: Row) -> list[str]:
    before = row["sentence"][: row["sentence"].index("_")]
    return [before + row[option] for option in ("option1", "option2")]


def _rest(row: Row) -> str:
    return " " + row["sentence"][row["sentence"].index("_") + 1 :].strip()


HARNESS: Mapping[str, AskingTask] = {
    task.name: task
    for task in (
        *(
            _worded(
                task, lambda row: f"Question: {row['question']}\nAnswer:", lambda row: texts(row, "choices", "text")
            )
            for task in (ARC_EASY, ARC_CHALLENGE)
        ),
        replace(
            _worded(OPENBOOKQA, lambda row: row["question_stem"], lambda row: texts(row, "choices", "text")),
            answer=lambda row: place("answerKey", row["answerKey"].lstrip(), texts(row, "choices", "label")),
        ),
        _worded(HELLASWAG, _started, lambda row: [_without_marks(each) for each in texts(row, "endings")]),
        _worded(PIQA, lambda row: f"Question: {row['goal']}\nAnswer:", lambda row: [row["sol1"], row["sol2"]]),
        _worded(
            BOOLQ,
            lambda row: f"{row['passage']}\nQuestion: {row['question']}?\nAnswer:",
            lambda _: ["no", "yes"],
            normalised=False,
        ),
        _worded(
            RTE,
            lambda row: f"{row['premise']}\nQuestion: {row['hypothesis']} True or False?\nAnswer:",
            lambda _: ["True", "False"],
            normalised=False,
        ),
        _worded(
            CB,
            lambda row: f"{row['premise']}\nQuestion: {row['hypothesis']}. True, False, or Neither?\nAnswer:",
            lambda _: ["True", "False", "Neither"],
            normalised=False,
        ),
        _worded(
            COPA, _joined, lambda row: [" " + _small(row["choice1"]), " " + _small(row["choice2"])], normalised=False
        ),
        # Its item is an article with all questions, of which it asks the last; here each question is an item.
        _worded(
            RACE_HIGH,
            lambda row: f"Article: {row['article']}\n\n{row['question']}",
            lambda row: texts(row, "options"),
            normalised=False,
        ),
        replace(
            WINOGRANDE,
            prompt=lambda row: _filled(row)[0],
            contexts=_filled,
            choices=lambda row: [_rest(row)] * 2,
            normalise="none",
            also={},
        ),
        Completion(
            name=LAMBADA.name,
            source=LAMBADA.source,
            prompt=lambda row: row["text"].rpartition(" ")[0],
            target=lambda row: " " + row["text"].rpartition(" ")[2],
            paper=LAMBADA.paper,
        ),
    )
}
