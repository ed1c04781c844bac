"""`<store>/stack.json`: how any process of this machine finds the servers that `glam up` started."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from glam.environment import LOOPBACK
from glam.store.errors import writing
from infra.lifeline import ProcessRecord

STACK_FILE = "stack.json"
STACK_MARK = "GLAM_STACK"
"""Variable in the environment of every process of a stack; its value is `Stack.mark`."""
RAY_PORTS = 7
"""Of one head: its address, raylet, objects, agent over HTTP and gRPC, environments, metrics. Workers take any."""


class Ports(BaseModel):
    """Where the servers listen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefect: int = Field(default=4200, ge=1, le=65535)
    mlflow: int = Field(default=5000, ge=1, le=65535)
    dashboard: int = Field(default=8501, ge=1, le=65535)
    serve: int = Field(default=8601, ge=1, le=65535)
    ray: int = Field(default=6390, ge=1, le=65536 - RAY_PORTS)
    """The first of RAY_PORTS; Ray's own 6379 is Redis's too."""

    @model_validator(mode="after")
    def distinct(self) -> Self:
        taken: dict[int, str] = {}
        for server, port in self.each():
            if (other := taken.setdefault(port, server)) != server:
                raise ValueError(f"port {port} is asked for by {other} and by {server}: choose another for one of them")
        return self

    def each(self) -> list[tuple[str, int]]:
        """(server, port) of every fixed port; Ray has several."""
        pages = [(server, port) for server, port in self.model_dump().items() if server != "ray"]
        return [*pages, *(("ray", port) for port in ray_ports(self.ray))]


class Stack(BaseModel):
    """The servers of one store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ports: Ports
    host: str = LOOPBACK
    """Where all but Ray listen, which stays on loopback."""
    ready: bool = False
    """Whether all have answered; until then nobody should rely on them."""
    owner: ProcessRecord
    """`glam up` itself: the stack lives as long as it does."""
    supervisor: ProcessRecord | None = None
    mark: str
    """Value of STACK_MARK."""

    @property
    def prefect_page(self) -> str:
        return f"http://{self.host}:{self.ports.prefect}"

    @property
    def prefect_api(self) -> str:
        return f"{self.prefect_page}/api"

    @property
    def mlflow(self) -> str:
        return f"http://{self.host}:{self.ports.mlflow}"

    @property
    def dashboard(self) -> str:
        return f"http://{self.host}:{self.ports.dashboard}"

    @property
    def serve(self) -> str:
        return f"http://{self.host}:{self.ports.serve}"

    @property
    def ray(self) -> str:
        """What RAY_ADDRESS takes."""
        return f"{LOOPBACK}:{self.ports.ray}"

    @property
    def addresses(self) -> dict[str, str]:
        """Of everything that a person or a program asks, by title."""
        return {
            "Prefect": self.prefect_page,
            "MLflow": self.mlflow,
            "Dashboard": self.dashboard,
            "Completions": self.serve,
            "Ray": self.ray,
        }


def ray_ports(first: int) -> range:
    """Every fixed port of a Ray head whose address has the port `first`."""
    return range(first, first + RAY_PORTS)


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
