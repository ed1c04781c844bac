"""COPA: the likelier cause or effect of an event (Roemmele, Bejan and Gordon, 2011)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import place
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row

RELATIONS = ("cause", "effect")
CHOICES = ("choice1", "choice2")
CONNECTORS = ("because", "so")


def prompt(row: Row) -> str:
    """The premise and the word that joins it to what is asked."""
    connector = CONNECTORS[place("question", row["question"], RELATIONS)]
    return f"{row['premise'].strip().rstrip('.')} {connector}"


def within_sentence(text: str) -> str:
    """A sentence as the second half of another: its first letter small, but for the word I."""
    text = text.strip()
    return text if text.startswith(("I ", "I'")) else text[:1].lower() + text[1:]


COPA = MultipleChoice(
    name="copa",
    source=Benchmark(
        hub="aps/super_glue",
        subset="copa",
        split="validation",
        fields={"premise": str, "choice1": str, "choice2": str, "question": str, "idx": int, "label": int},
        id=lambda row: str(row["idx"]),
    ),
    prompt=prompt,
    choices=lambda row: [" " + within_sentence(row[choice]) for choice in CHOICES],
    choices_in=CHOICES,
    answer="label",
    normalise="none",
    paper=Paper(
        title="COPA",
        group="NLU",
        category="SuperGLUE",
        split="dev",
        shots=16,
        ours="because and so, and a small letter after them even where a name begins",
    ),
)
