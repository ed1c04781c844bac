"""A stack of the tests' own."""

import os
import socket
import subprocess
from pathlib import Path

import psutil

from glam.environment import LOOPBACK
from infra.lifeline import marked
from infra.ports import is_free
from infra.stack_file import RAY_PORTS, STACK_MARK, Ports, Stack, recorded_stack
from tests.road.conftest import GLAM


def stack_ports(**given: int) -> Ports:
    """Ports that nobody uses at this moment, but for those that are given."""
    servers = [name for name in ("prefect", "mlflow", "dashboard", "serve") if name not in given]
    sockets = [socket.create_server((LOOPBACK, 0)) for _ in servers]
    try:
        chosen = {name: each.getsockname()[1] for name, each in zip(servers, sockets, strict=True)}
    finally:
        for each in sockets:
            each.close()
    return Ports(**{"ray": _free_row(), **chosen, **given})


def _free_row() -> int:
    """The first of as many ports as Ray takes, below those that the system hands out."""
    starts = range(20_000, 30_000, RAY_PORTS)
    return next(start for start in starts if all(is_free(port) for port in range(start, start + RAY_PORTS)))


def stack_environment() -> dict[str, str]:
    """Without servers that the tests themselves may have been told of."""
    own = ("PREFECT", "MLFLOW", "RAY_ADDRESS")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def glam(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line on a store, with these in its environment."""
    return subprocess.run(
        [*GLAM, *arguments, "--store", str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env={**stack_environment(), **variables},
    )


def options(ports: Ports) -> list[str]:
    """The same ports as `glam up` takes them."""
    return [f"--{name}-port={port}" for name, port in ports.model_dump().items()]


def up(root: Path) -> Stack:
    """A detached stack, all of it healthy."""
    done = glam(root, "up", "--detach", *options(stack_ports()))
    assert done.returncode == 0, done.stderr
    stack = recorded_stack(root)
    assert stack is not None
    assert stack.ready
    for address in stack.addresses.values():
        assert address in done.stdout
    return stack


def raylets(stack: Stack) -> list[psutil.Process]:
    """Of the stack's Ray: one, but for the moments of a restart."""
    return [each for each in marked(STACK_MARK, stack.mark) if each.name() == "raylet"]
