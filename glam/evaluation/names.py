"""What a task is called, and whether it takes demonstrations. No torch: asked before anything runs."""

from glam.evaluation.task import Task
from glam.evaluation.tasks import TASKS


def task_names() -> tuple[str, ...]:
    """Every known task, in the order of the table."""
    return tuple(TASKS)


def find_task(name: str) -> Task:
    """The task of that name. Raises ValueError listing what exists."""
    if name not in TASKS:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(sorted(TASKS))}")
    return TASKS[name]


def takes_shots(task: str) -> bool:
    """Whether demonstrations may stand before an item of this task. Raises ValueError for an unknown task."""
    return find_task(task).takes_shots
