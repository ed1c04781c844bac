"""Who listens where."""

import socket

import psutil

from glam.environment import LOOPBACK


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server of ours could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are closing do not count
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def require_host(host: str) -> None:
    """Raises ValueError unless `host` is one IPv4 address of this machine, or a name of one.

    Not 0.0.0.0: pages have to know under which name they are reached, or they could not tell their own requests from
    those of other sites.
    """
    own = sorted(
        {each.address for card in psutil.net_if_addrs().values() for each in card if each.family == socket.AF_INET}
    )
    advice = f"take one address of this machine: {', '.join(own)}"
    try:
        found = socket.gethostbyname(host)
    except OSError:
        raise ValueError(f"--host {host!r} has no IPv4 address: {advice}") from None
    if found == "0.0.0.0":
        raise ValueError(f"--host {host} stands for all addresses, and for none that a browser could open: {advice}")
    if found not in own and not found.startswith("127."):
        raise ValueError(f"--host {host} is not of this machine: {advice}")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    return socket.gethostbyname(host).startswith("127.")


def listener(port: int) -> str | None:
    """The process that listens on a port, e.g. `python3 (pid 4711)`; None where the system does not tell."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return None
    return None
