"""SQuAD v2: questions that a paragraph answers or does not (Rajpurkar et al., 2018, arXiv:1806.03822)."""

from glam.evaluation.answers import UNANSWERABLE, exact_match, squad_v2_f1
from glam.evaluation.benchmark import Benchmark, content_mark
from glam.evaluation.fields import accepted_answers, texts
from glam.evaluation.paper import Paper
from glam.evaluation.task import Generation, Row


def references(row: Row) -> tuple[str, ...]:
    """The answers, or the word for none. Raises ValueError."""
    return accepted_answers(row, "answers", "text") if texts(row, "answers", "text") else (UNANSWERABLE,)


SQUAD_V2 = Generation(
    name="squad_v2",
    source=Benchmark(
        hub="rajpurkar/squad_v2",
        split="validation",
        fields={"id": str, "context": str, "question": str, "answers": dict},
        id=lambda row: row["id"],
        cluster=lambda row: content_mark({"context": row["context"]}),
    ),
    prompt=lambda row: f"{row['context'].strip()}\nQ: {row['question'].strip()}\nA:",
    references=references,
    metrics={"f1": squad_v2_f1, "exact_match": exact_match},
    max_new_tokens=48,
    paper=Paper(
        title="SQuADv2",
        group="NLG",
        category="in-context reading comprehension",
        split="dev",
        shots=10,
        counted=("f1", "exact_match"),
        ours='wording (passage, Q and A); no answer is written "unanswerable", which only demonstrations tell: '
        "without them the prompt says nothing of it",
    ),
)
