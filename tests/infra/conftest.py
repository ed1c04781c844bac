"""Ports for a stack of the tests' own."""

import socket

from glam.environment import LOOPBACK
from infra.ports import is_free
from infra.stack_file import RAY_PORTS, Ports


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
