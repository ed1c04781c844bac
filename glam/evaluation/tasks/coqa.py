"""CoQA: a conversation about a story, in free words (Reddy et al., 2019, arXiv:1808.07042)."""

from collections.abc import Iterator

from glam.evaluation.answers import coqa_f1
from glam.evaluation.benchmark import Benchmark, content_mark
from glam.evaluation.dialogue import prompt, turn_id, turns
from glam.evaluation.fields import texts
from glam.evaluation.paper import Paper
from glam.evaluation.task import Generation, Row


def expand(row: Row) -> Iterator[Row]:
    """A row a turn; other people's answers are references too, where the file has them. Raises ValueError."""
    questions = texts(row, "questions")
    paths = [("answers",), *(("additional_answers", person) for person in row.get("additional_answers") or {})]
    answers = [texts(row, *path, "input_text") for path in paths]
    for path, given in zip(paths, answers, strict=True):
        if len(given) != len(questions):
            raise ValueError(f"field {'.'.join(path)!r} has {len(given)} answers to {len(questions)} questions")
    references = list(zip(*answers, strict=True))
    return turns(row.get("id") or content_mark(row), row["story"], questions, answers[0], references)


COQA = Generation(
    name="coqa",
    source=Benchmark(
        hub="stanfordnlp/coqa",
        split="validation",
        fields={"story": str, "questions": list, "answers": dict},
        expand=expand,
        id=turn_id,
        cluster=lambda row: row["dialogue"],
    ),
    prompt=prompt,
    references=lambda row: row["references"],
    metrics={"f1": coqa_f1},
    max_new_tokens=48,
    paper=Paper(
        title="CoQA",
        group="NLG",
        category="in-context reading comprehension",
        split="dev",
        shots=1,
        ours="wording (story, then turns of Q and A with gold answers); the hub's copy has one answer a question",
    ),
)
