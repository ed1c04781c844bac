"""Who listens where on loopback."""

import socket

import psutil

from glam.environment import LOOPBACK


def is_free(port: int) -> bool:
    """Whether a server of ours could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are closing do not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def listener(port: int) -> str | None:
    """The process that listens on a port, e.g. `python3 (pid 4711)`; None where the system does not tell."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return None
    return None
