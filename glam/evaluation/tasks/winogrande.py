"""WinoGrande: which of two options fills a blank (Sakaguchi et al., 2019, arXiv:1907.10641), by partial evaluation.

Each option takes the blank's place and the rest of the sentence is scored (Trinh and Le, 2018, arXiv:1806.02847).
"""

import re

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import place
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row

OPTIONS = ("option1", "option2")


def parts(row: Row) -> tuple[str, str]:
    """The sentence before and after its blank."""
    before, *after = row["sentence"].split("_")
    if len(after) != 1:
        raise ValueError(f"field 'sentence' has {len(after)} blanks, not one")
    return before, after[0]


def twins(row: Row) -> str:
    """A name for the twins, which share their options; the hub's copy lacks the qID that says it better."""
    if row.get("qID"):
        return re.sub(r"-[12]$", "", row["qID"])
    return " / ".join(sorted(row[option] for option in OPTIONS))


def contexts(row: Row) -> list[str]:
    """The sentence up to where each option takes the blank's place. Raises ValueError for an option without words."""
    for option in OPTIONS:
        if not row[option].strip():
            raise ValueError(f"field {option!r} is empty")
    return [parts(row)[0] + row[option].strip() for option in OPTIONS]


WINOGRANDE = MultipleChoice(
    name="winogrande",
    source=Benchmark(
        hub="allenai/winogrande",
        subset="winogrande_xl",
        split="validation",
        fields={"sentence": str, "option1": str, "option2": str, "answer": str},
        id=lambda row: row.get("qID", ""),
        cluster=twins,
    ),
    prompt=lambda row: parts(row)[0].rstrip(),
    contexts=contexts,
    choices=lambda row: [parts(row)[1].rstrip() or "."] * len(OPTIONS),
    answer=lambda row: place("answer", row["answer"], ("1", "2")),
    paper=Paper(
        title="WinoGrande",
        group="NLU",
        category="Winograd-style",
        split="dev",
        shots=16,
        ours="partial evaluation as in GPT-3, and the largest training set for demonstrations",
    ),
)
