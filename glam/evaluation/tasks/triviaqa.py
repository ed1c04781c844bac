"""TriviaQA: questions of quizzes, answered without evidence (Joshi et al., 2017, arXiv:1705.03551)."""

from glam.evaluation.answers import triviaqa_exact_match
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import texts
from glam.evaluation.paper import Paper
from glam.evaluation.task import Generation, Row


def references(row: Row) -> tuple[str, ...]:
    """The answer, then its other names. Raises ValueError."""
    value = row["answer"].get("value")
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"field 'answer.value' is {value!r:.60}, no answer")
    return tuple(dict.fromkeys((value, *texts(row, "answer", "aliases"))))


TRIVIAQA = Generation(
    name="triviaqa",
    source=Benchmark(
        hub="mandarjoshi/trivia_qa",
        subset="unfiltered.nocontext",
        split="validation",
        fields={"question": str, "answer": dict},
        id=lambda row: row.get("question_id", ""),
    ),
    prompt=lambda row: f"Q: {row['question'].strip()}\nA:",
    references=references,
    metrics={"exact_match": triviaqa_exact_match},
    max_new_tokens=24,
    paper=Paper(
        title="TriviaQA",
        group="NLG",
        category="open-domain question answering",
        split="dev",
        shots=1,
        ours="wording (GPT-3's Q and A); the unfiltered questions, of which the paper does not say a variant",
    ),
)
