"""BoolQ: yes/no questions about a passage (Clark et al., 2019, arXiv:1905.10044)."""

from glam.evaluation.benchmark import Benchmark, content_mark
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row


def prompt(row: Row) -> str:
    """Passage and question; published questions lack their question mark."""
    return f"{row['passage'].strip()}\nQuestion: {row['question'].strip().rstrip('?')}?\nAnswer:"


BOOLQ = MultipleChoice(
    name="boolq",
    source=Benchmark(
        hub="aps/super_glue",
        subset="boolq",
        split="validation",
        fields={"question": str, "passage": str, "idx": int, "label": int},
        id=lambda row: str(row["idx"]),
        cluster=lambda row: content_mark({"passage": row["passage"]}),
    ),
    prompt=prompt,
    choices=lambda _: (" no", " yes"),
    answer="label",
    paper=Paper(
        title="BoolQ",
        group="NLU",
        category="SuperGLUE",
        split="dev",
        shots=8,
        ours="the words question and answer, and yes and no in lower case",
    ),
)
