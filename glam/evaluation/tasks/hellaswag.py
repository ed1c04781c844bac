"""HellaSwag: how a described scene goes on (Zellers et al., 2019, arXiv:1905.07830)."""

import re

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import place, texts
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row

UNFINISHED_BEFORE_TITLE = re.compile(r"(?<=[^\s.!?:;,])\s*(?=\[title\])")
MARKS = re.compile(r"\[(?:header|title|step|substeps)\]")


def clean(text: str) -> str:
    """Without WikiHow's marks of headings and steps; what stands before a title ends in a full stop."""
    return " ".join(MARKS.sub(" ", UNFINISHED_BEFORE_TITLE.sub(".", text)).split())


def endings(row: Row) -> list[str]:
    """The four possible ends."""
    return texts(row, "endings")


HELLASWAG = MultipleChoice(
    name="hellaswag",
    source=Benchmark(
        hub="Rowan/hellaswag",
        split="validation",
        fields={"ind": int, "activity_label": str, "ctx": str, "endings": list, "source_id": str, "label": str},
        id=lambda row: str(row["ind"]),
        cluster=lambda row: row["source_id"],
    ),
    prompt=lambda row: clean(f"{row['activity_label']}: {row['ctx']}"),
    choices=lambda row: [" " + clean(ending) for ending in endings(row)],
    choices_in=("endings",),
    answer=lambda row: place("label", row["label"], [str(number) for number in range(len(endings(row)))]),
    paper=Paper(
        title="HellaSwag",
        group="NLU",
        category="cloze and completion",
        split="dev",
        shots=8,
        ours="the activity in front of the context, and WikiHow's marks taken out",
    ),
)
