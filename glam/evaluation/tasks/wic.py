"""WiC: does a word mean the same in two sentences (Pilehvar and Camacho-Collados, 2019, arXiv:1808.09121)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row


def prompt(row: Row) -> str:
    """Both sentences, then the question."""
    question = f"Is the word '{row['word']}' used in the same way in the two sentences above?"
    return f"{row['sentence1'].strip()}\n{row['sentence2'].strip()}\nQuestion: {question}\nAnswer:"


WIC = MultipleChoice(
    name="wic",
    source=Benchmark(
        hub="aps/super_glue",
        subset="wic",
        split="validation",
        fields={"word": str, "sentence1": str, "sentence2": str, "idx": int, "label": int},
        id=lambda row: str(row["idx"]),
        cluster=lambda row: row["word"],
    ),
    prompt=prompt,
    choices=lambda _: (" no", " yes"),
    answer="label",
    paper=Paper(
        title="WiC",
        group="NLU",
        category="SuperGLUE",
        split="dev",
        shots=4,
        ours="the question, as in GPT-3, and yes and no in lower case",
    ),
)
