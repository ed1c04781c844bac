"""TASKS: every task by name. A new one is a file here and a line in the table."""

from glam.evaluation.task import Task
from glam.evaluation.tasks.continuation import CONTINUATION
from glam.evaluation.tasks.heldout import HELDOUT
from glam.evaluation.tasks.last_word import LAST_WORD
from glam.evaluation.tasks.name_function import NAME_FUNCTION

TASKS: dict[str, Task] = {task.name: task for task in (HELDOUT, LAST_WORD, CONTINUATION, NAME_FUNCTION)}
