"""What a person fills in to start a flow: types whose words and choices Prefect's form shows."""

import inspect
import textwrap
from collections.abc import Callable
from typing import Annotated, TypeVar, get_type_hints

from pydantic import Field
from pydantic.fields import FieldInfo

from glam.evaluation.tasks import TASKS
from glam.lineage import Verb
from glam.recipes import RECIPES

RecipeName = Annotated[
    str,
    Field(
        description="Which study to run.\n\n"
        + "\n\n".join(f"- {name}: {' '.join(make().description.split())}" for name, make in RECIPES.items()),
        json_schema_extra={"enum": [*RECIPES]},
    ),
]
"""A drop-down; what each recipe is stands below it."""

TaskName = Annotated[str, Field(json_schema_extra={"enum": [*TASKS]})]

Settings = Annotated[
    list[str],
    Field(
        description="Fields of the recipe that are to differ, one key.path=value a line, such as train.num_steps=100 "
        "or model.num_experts=16."
    ),
]
Seeds = Annotated[list[int], Field(description="Seeds with which every arm is trained; none: those of the recipe.")]
Workers = Annotated[int, Field(ge=1, description="Data-parallel training workers.")]
Threads = Annotated[int, Field(ge=1, description="Threads, and so CPUs, of each training worker.")]
RunSettings = Annotated[
    list[str],
    Field(
        description="How training is run, one key=value a line, such as layout=sharded, max_minutes=30 or "
        "micro_batch_size=4. It changes no result."
    ),
]
Tasks = Annotated[list[TaskName], Field(description="Which tasks to ask; none: those of the recipe.")]
Shots = Annotated[
    list[int],
    Field(description="Demonstrations before each item: every task is asked with each number; none: the recipe's."),
]
Limit = Annotated[int, Field(ge=0, description="Items of each task, drawn by seed; 0: as many as the recipe says.")]
Benchmarks = Annotated[
    str,
    Field(
        description="Folder on this machine with the files of published tasks, TASK/eval.jsonl and TASK/train.jsonl; "
        "only tasks about held-out text need none."
    ),
]
Until = Annotated[Verb, Field(description="The last stage to run.")]

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def described(function: FunctionT) -> FunctionT:
    """Puts the words of its parameters' types into its docstring, which is where Prefect looks for them."""
    lines = [inspect.getdoc(function) or "", "", "Args:"]
    for name, kind in get_type_hints(function, include_extras=True).items():
        for field in getattr(kind, "__metadata__", ()):
            if isinstance(field, FieldInfo) and field.description:
                lines.append(textwrap.indent(f"{name}: {field.description}".replace("\n", "\n    "), "    "))
    function.__doc__ = "\n".join(lines)
    return function
