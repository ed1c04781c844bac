"""ARC: science questions of school exams, easy ones and the others (Clark et al., 2018, arXiv:1803.05457)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import place, texts
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row


def options(row: Row) -> list[str]:
    """Possible answers, as continuations."""
    return [" " + text.strip() for text in texts(row, "choices", "text")]


def key(row: Row) -> int:
    """Where the right answer stands; labels are letters or numbers, three to five of them."""
    return place("answerKey", row["answerKey"], texts(row, "choices", "label"))


def arc(name: str, *, subset: str, title: str, shots: int) -> MultipleChoice:
    """One half of the questions."""
    return MultipleChoice(
        name=name,
        source=Benchmark(
            hub="allenai/ai2_arc",
            subset=subset,
            split="test",
            fields={"id": str, "question": str, "choices": dict, "answerKey": str},
            id=lambda row: row["id"],
        ),
        prompt=lambda row: f"Question: {row['question'].strip()}\nAnswer:",
        choices=options,
        choices_in=("choices.text",),
        answer=key,
        paper=Paper(
            title=title,
            group="NLU",
            category="common-sense reasoning",
            split="test",
            shots=shots,
            ours="the words question and answer; no division by the answer's own likelihood, which GPT-3 has",
        ),
    )


ARC_EASY = arc("arc_easy", subset="ARC-Easy", title="ARC-e", shots=16)
ARC_CHALLENGE = arc("arc_challenge", subset="ARC-Challenge", title="ARC-c", shots=3)
