"""When a task is worth trying again: it goes on from the store, so a retry costs only what was lost."""

from typing import Any

from prefect import Task
from prefect.client.schemas.objects import TaskRun
from prefect.states import State

from infra.processors import RayFailed

RETRIES = 2
PASSING = (RayFailed, ConnectionError, TimeoutError)
"""A process or node of Ray's that is gone, a connection that broke. What a person has to mend is not among them:
wrong settings, a store that cannot be written, a full disk, a budget that is used up."""


def may_help(_task: Task[..., Any], _task_run: TaskRun, state: State[Any]) -> bool:
    """Prefect asks this after a task has failed."""
    return isinstance(state.data, PASSING)
