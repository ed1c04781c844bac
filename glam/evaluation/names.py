"""What a task is called, and whether it takes demonstrations. No torch: asked before anything runs."""

from collections.abc import Sequence

from glam.config import EvalConfig, Prompts, Shots, replace
from glam.evaluation import questions
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.task import HeldoutLikelihood, Task
from glam.evaluation.tasks import TASKS
from glam.evaluation.tasks.harness import HARNESS


def find_task(name: str, prompts: Prompts = "paper") -> Task:
    """The task of that name, in the harness's wording where that is asked for and there is one.

    Raises ValueError listing what exists.
    """
    if name not in TASKS:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(sorted(TASKS))}")
    return HARNESS.get(name, TASKS[name]) if prompts == "harness" else TASKS[name]


def settings_of(task: str, judged: EvalConfig) -> EvalConfig:
    """As one task is asked: the harness's wording, and with it its draws, only where it has the task."""
    return judged if task in HARNESS else replace(judged, prompts="paper")


def shots_of(task: str, shots: Sequence[Shots]) -> tuple[int, ...]:
    """How many demonstrations stand before its items, each number once; none where it takes none.

    Raises ValueError for an unknown task, and for the paper's number of a task that the paper does not have.
    """
    found = find_task(task)
    if not found.takes_shots:
        return (0,)
    published = None if found.paper is None else found.paper.shots
    numbers = [published if each == "paper" else each for each in shots]
    if None in numbers:
        raise ValueError(f"shots: the paper has no task {task!r}, and so no number of demonstrations for it; say one")
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def scoring(task: str, prompts: Prompts) -> dict[str, object]:
    """What decides a score besides the items. Raises ValueError for an unknown task."""
    return find_task(task, prompts).scoring


def asks_files(task: str) -> bool:
    """Whether a task is a benchmark's, not about held-out text. Raises ValueError for an unknown task."""
    found = find_task(task)
    return not isinstance(found, HeldoutLikelihood) and isinstance(found.source, Benchmark)


def identity(task: str, judged: EvalConfig) -> questions.Identity | None:
    """Of a benchmark's questions in their wording; None for a task about held-out text.

    Raises BenchmarkError where the files are not there or not right.
    """
    found = find_task(task, judged.prompts)
    if isinstance(found, HeldoutLikelihood) or not isinstance(found.source, Benchmark):
        return None
    folder = questions.benchmarks_folder(task, judged)
    return questions.identity(found, folder, judged)
