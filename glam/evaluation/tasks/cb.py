"""CommitmentBank: does the speaker hold an embedded clause for true (de Marneffe, Simons and Tonhauser, 2019)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice
from glam.evaluation.tasks.entailment import TRUE_FALSE_OR_NEITHER, premise_mark, statement

CB = MultipleChoice(
    name="cb",
    source=Benchmark(
        hub="aps/super_glue",
        subset="cb",
        split="validation",
        fields={"premise": str, "hypothesis": str, "idx": int, "label": int},
        id=lambda row: str(row["idx"]),
        cluster=premise_mark,
    ),
    prompt=lambda row: statement(row, TRUE_FALSE_OR_NEITHER),
    choices=lambda _: (" true", " false", " neither"),  # labels: entailment, contradiction, neutral
    answer="label",
    paper=Paper(
        title="CB",
        group="NLU",
        category="SuperGLUE",
        split="dev",
        shots=8,
        ours="the question and its three words, as in GPT-3",
    ),
)
