"""ANLI: inference that fooled a model, in three rounds (Nie et al., 2020, arXiv:1910.14599)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice
from glam.evaluation.tasks.entailment import TRUE_FALSE_OR_NEITHER, premise_mark, statement


def anli(number: int, *, shots: int) -> MultipleChoice:
    """One round."""
    return MultipleChoice(
        name=f"anli_r{number}",
        source=Benchmark(
            hub="facebook/anli",
            split=f"test_r{number}",
            pool=f"train_r{number}",
            fields={"uid": str, "premise": str, "hypothesis": str, "label": int},
            id=lambda row: row["uid"],
            cluster=premise_mark,
        ),
        prompt=lambda row: statement(row, TRUE_FALSE_OR_NEITHER),
        choices=lambda _: (" true", " neither", " false"),  # labels: entailment, neutral, contradiction
        answer="label",
        paper=Paper(
            title=f"ANLI R{number}",
            group="NLU",
            category="natural language inference",
            split="test",
            shots=shots,
            ours="the question and its three words, as in GPT-3; premises keep their <br>",
        ),
    )


ANLI_R1 = anli(1, shots=2)
ANLI_R2 = anli(2, shots=10)
ANLI_R3 = anli(3, shots=4)
