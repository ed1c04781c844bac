"""OpenBookQA: questions that need an elementary fact and common sense (Mihaylov et al., 2018, arXiv:1809.02789)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice
from glam.evaluation.tasks.arc import key, options

OPENBOOKQA = MultipleChoice(
    name="openbookqa",
    source=Benchmark(
        hub="allenai/openbookqa",
        subset="main",
        split="test",
        fields={"id": str, "question_stem": str, "choices": dict, "answerKey": str},
        id=lambda row: row["id"],
    ),
    prompt=lambda row: f"Question: {row['question_stem'].strip()}\nAnswer:",
    choices=options,
    choices_in=("choices.text",),
    answer=key,
    paper=Paper(
        title="OpenBookQA",
        group="NLU",
        category="common-sense reasoning",
        split="test",
        shots=32,
        ours="the words question and answer; the book's fact is not shown",
    ),
)
