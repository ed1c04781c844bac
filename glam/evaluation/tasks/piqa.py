"""PIQA: the better way to reach an everyday goal (Bisk et al., 2020, arXiv:1911.11641)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice

PIQA = MultipleChoice(
    name="piqa",
    source=Benchmark(
        hub="ybisk/piqa",
        split="validation",
        fields={"goal": str, "sol1": str, "sol2": str, "label": int},
        cluster=lambda row: row["goal"].strip(),
    ),
    prompt=lambda row: row["goal"].strip(),
    choices=lambda row: [" " + row["sol1"].strip(), " " + row["sol2"].strip()],
    choices_in=("sol1", "sol2"),
    answer="label",
    paper=Paper(
        title="PIQA",
        group="NLU",
        category="common-sense reasoning",
        split="dev",
        shots=32,
        ours="the goal as plain text, without the words question and answer",
    ),
)
