"""RTE: does a text entail a statement (Dagan et al., 2005, and three challenges after it)."""

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice
from glam.evaluation.tasks.entailment import TRUE_OR_FALSE, premise_mark, statement

RTE = MultipleChoice(
    name="rte",
    source=Benchmark(
        hub="aps/super_glue",
        subset="rte",
        split="validation",
        fields={"premise": str, "hypothesis": str, "label": int},
        id=lambda row: str(row["idx"]) if row.get("idx", -1) >= 0 else "",  # none in a row from an older challenge
        cluster=premise_mark,
    ),
    prompt=lambda row: statement(row, TRUE_OR_FALSE),
    choices=lambda _: (" True", " False"),  # labels: entailment, not_entailment
    answer="label",
    paper=Paper(
        title="RTE",
        group="NLU",
        category="SuperGLUE",
        split="dev",
        shots=8,
        ours="the question, and true and false in its spelling",
    ),
)
