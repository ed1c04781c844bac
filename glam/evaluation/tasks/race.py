"""RACE: English exams of Chinese schools, an article and its questions (Lai et al., 2017, arXiv:1704.04683).

The paper's text lists them under reading comprehension; the bars of its figure 1 come out only where they are counted
under common-sense reasoning (its one-shot gain over GPT-3: 2.8 % by the bar, 2.9 % with RACE, -0.1 % without).
"""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import place, texts
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice

LETTERS = ("A", "B", "C", "D")


def race(name: str, *, subset: str, title: str, shots: int) -> MultipleChoice:
    """The questions of one kind of school."""
    return MultipleChoice(
        name=name,
        source=Benchmark(
            hub="ehovy/race",
            subset=subset,
            split="test",
            fields={"example_id": str, "article": str, "question": str, "options": list, "answer": str},
            cluster=lambda row: row["example_id"],
        ),
        prompt=lambda row: f"{row['article'].strip()}\nQuestion: {row['question'].strip()}\nAnswer:",
        choices=lambda row: [" " + option.strip() for option in texts(row, "options")],
        choices_in=("options",),
        answer=lambda row: place("answer", row["answer"], LETTERS[: len(row["options"])]),
        paper=Paper(
            title=title,
            group="NLU",
            category="common-sense reasoning",
            split="test",
            shots=shots,
            ours="one question an item, and an option as the answer even where the question has a blank for it",
        ),
    )


RACE_MIDDLE = race("race_middle", subset="middle", title="RACE-m", shots=8)
RACE_HIGH = race("race_high", subset="high", title="RACE-h", shots=2)
