"""`<store>/stack.json`: how any process of this machine finds the servers that `glam up` started."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from glam.environment import LOOPBACK
from glam.store.errors import writing
from infra.lifeline import ProcessRecord

STACK_FILE = "stack.json"


class Ports(BaseModel):
    """Where the three servers listen, on loopback."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefect: int = Field(default=4200, ge=1, le=65535)
    mlflow: int = Field(default=5000, ge=1, le=65535)
    dashboard: int = Field(default=8501, ge=1, le=65535)

    @model_validator(mode="after")
    def distinct(self) -> Self:
        if len({self.prefect, self.mlflow, self.dashboard}) != 3:
            raise ValueError(
                f"prefect={self.prefect}, mlflow={self.mlflow}, dashboard={self.dashboard}: "
                "three servers need three ports"
            )
        return self


class Stack(BaseModel):
    """The servers of one store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ports: Ports
    ready: bool = False
    """Whether all have answered; until then nobody should rely on them."""
    owner: ProcessRecord
    """`glam up` itself: the stack lives as long as it does."""
    supervisor: ProcessRecord | None = None
    mark: str
    """Value of GLAM_STACK in the environment of every process of this stack."""

    @property
    def prefect_page(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.prefect}"

    @property
    def prefect_api(self) -> str:
        return f"{self.prefect_page}/api"

    @property
    def mlflow(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.mlflow}"

    @property
    def dashboard(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.dashboard}"


def read_stack(store_root: Path | str) -> Stack | None:
    """The stack of this store if it is up and ready; None otherwise, whatever an ended one left."""
    stack = recorded_stack(store_root)
    return stack if stack is not None and stack.ready and stack.owner.find() is not None else None


def recorded_stack(store_root: Path | str) -> Stack | None:
    """What the file says, alive or not; None where there is no file. Raises ValueError for a file that is not ours."""
    path = Path(store_root) / STACK_FILE
    try:
        return Stack.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ValueError(f"{path} is not the record of a stack: remove it and try again ({error})") from error


def write_stack(store_root: Path, stack: Stack) -> None:
    """Replaces the file so that nobody sees a part of it."""
    path = store_root / STACK_FILE
    with writing(path):
        partial = path.with_name(path.name + ".partial")
        partial.write_text(stack.model_dump_json(indent=1) + "\n", "utf-8")
        os.replace(partial, path)


def remove_stack(store_root: Path) -> None:
    """Says that nothing is up."""
    (store_root / STACK_FILE).unlink(missing_ok=True)
