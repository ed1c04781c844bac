"""The conformance table of docs/evaluation.md says what the tasks do.

`python tests/evaluation/test_conformance.py` prints it as it has to be.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from glam.evaluation.averages import ENTRIES
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.task import AskingTask, Completion, Generation
from glam.evaluation.tasks import PUBLISHED
from glam.evaluation.tasks.harness import HARNESS

PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"
HEADINGS = ("task", "kind", "paper's split", "asked split", "metric", "scoring", "few-shot", "what is our choice")
LIKELIHOOD = {"tokens": "log-likelihood per token", "none": "log-likelihood"}


def scoring(task: AskingTask) -> str:
    """How an answer is found."""
    if isinstance(task, Generation):
        return f"at most {task.max_new_tokens} tokens, until {', '.join(map(repr, task.stop))}"
    assert not isinstance(task, Completion), "the paper has none"
    return LIKELIHOOD[task.normalise] + (", of what follows each option" if task.contexts else "")


def row(task: AskingTask) -> str:
    """A task's line."""
    source, paper = task.source, task.paper
    assert isinstance(source, Benchmark)
    assert paper is not None
    cells = (
        f"`{task.name}`",
        "written" if isinstance(task, Generation) else "likelihood",
        paper.split,
        f"{source.split} of {source.hub}" + (f", {source.subset}" if source.subset else ""),
        ", ".join(paper.counted or (task.metric,)),
        scoring(task),
        str(paper.shots),
        paper.ours.replace("<", "&lt;"),
    )
    return f"| {' | '.join(cells)} |"


def table() -> Iterator[str]:
    """Heading and a line a task, in the paper's order of categories."""
    yield f"| {' | '.join(HEADINGS)} |"
    yield "|---" * len(HEADINGS) + "|"
    yield from map(row, PUBLISHED.values())


def test_the_table_of_the_page_is_that_of_the_tasks() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    start = lines.index(next(table()))
    written = lines[start : lines.index("", start)]
    assert written == list(table()), (
        "put into docs/evaluation.md what `python tests/evaluation/test_conformance.py` prints"
    )


def test_numbers_in_the_page_are_those_of_the_tables() -> None:
    page = " ".join(PAGE.read_text("utf-8").split())
    groups = [entry.group for entry in ENTRIES]
    assert f"NLG over {groups.count('NLG')} entries, NLU over {groups.count('NLU')}, all over {len(ENTRIES)}" in page
    assert f"{len(HARNESS)} tasks in the harness's wording" in page


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
