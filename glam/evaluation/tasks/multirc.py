"""MultiRC: which answers to a question about a paragraph are right, any number of them (Khashabi et al., 2018)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import value
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row


def prompt(row: Row) -> str:
    """Paragraph, question and one candidate; the candidate is the item."""
    return (
        f"{row['paragraph'].strip()}\nQuestion: {row['question'].strip()}\n"
        f"Answer: {row['answer'].strip()}\nIs this answer right?"
    )


MULTIRC = MultipleChoice(
    name="multirc",
    source=Benchmark(
        hub="aps/super_glue",
        subset="multirc",
        split="validation",
        fields={"paragraph": str, "question": str, "answer": str, "idx": dict, "label": int},
        id=lambda row: "-".join(str(value(row, "idx", name)) for name in ("paragraph", "question", "answer")),
        cluster=lambda row: str(value(row, "idx", "paragraph")),
    ),
    prompt=prompt,
    choices=lambda _: (" no", " yes"),
    answer="label",
    metric="f1a",
    paper=Paper(
        title="MultiRC",
        group="NLU",
        category="SuperGLUE",
        split="dev",
        shots=4,
        ours="the question about each candidate, and that a shot is one candidate",
    ),
)
