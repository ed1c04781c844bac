"""What the tasks of natural language inference share: a premise, then a statement as a question."""

from glam.evaluation.benchmark import content_mark
from glam.evaluation.task import Row

TRUE_OR_FALSE = "True or False?"
TRUE_FALSE_OR_NEITHER = "true, false, or neither?"


def premise_mark(row: Row) -> str:
    """A name for what several hypotheses are about."""
    return content_mark({"premise": row["premise"]})


def statement(row: Row, question: str) -> str:
    """The prompt that asks whether the hypothesis is so; many published ones lack their full stop."""
    hypothesis = row["hypothesis"].strip()
    end = "" if hypothesis.endswith((".", "!", "?", '."', ".'")) else "."
    return f"{row['premise'].strip()}\nQuestion: {hypothesis}{end} {question}\nAnswer:"
