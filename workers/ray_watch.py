"""Tells why a driver ended that Ray has ended: without its raylet, Ray ends a driver from C++, at once and wordlessly.

No exception of Python's tells of it in time and no thread of the driver is fast enough; a process beside it is.
As a program (`python -m workers.ray_watch FD RECORDS`) it is that process.
"""

import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

import psutil
from pydantic import TypeAdapter

from infra.lifeline import ProcessRecord

SERVERS = ("raylet", "gcs_server")
SECONDS_BETWEEN_LOOKS = 0.5
LEFT, BROKEN = b"l", b"b"
RECORDS = TypeAdapter(dict[str, ProcessRecord])
TO_DO = "What is finished is kept: run the same command again"


@contextmanager
def watched(processes: Iterable[psutil.Process], *, mark: str) -> Iterator[None]:
    """Ends this process with code 1 when one of Ray's servers among `processes` is gone before the block is.

    The reason is on stderr, also where Ray ends this process sooner. The watching process does not inherit the
    environment variable `mark`, by which a guardian would end it before it has spoken.
    """
    servers = {each.name(): ProcessRecord.of(each.pid) for each in processes if each.name() in SERVERS}
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            watcher = subprocess.Popen(
                [sys.executable, "-m", "workers.ray_watch", str(theirs.fileno()), RECORDS.dump_json(servers).decode()],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the others
                env={name: value for name, value in os.environ.items() if name != mark},
            )

        def end_when_told() -> None:
            if ours.recv(1) == BROKEN:
                os._exit(1)

        thread = threading.Thread(target=end_when_told, name="Ray's processes", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(BrokenPipeError):  # who ends all of a stack's processes ends the watcher too
                ours.sendall(LEFT)
            watcher.wait()
            thread.join()


def watch(driver: socket.socket, servers: Mapping[str, ProcessRecord]) -> None:
    """Until the driver leaves its block or ends, or a server is gone: then tells stderr, and BROKEN to the driver."""
    over = False
    while not over:
        over = bool(select.select([driver], [], [], SECONDS_BETWEEN_LOOKS)[0])
        if over and driver.recv(1) == LEFT:
            return
        for name, record in servers.items():
            if record.find() is None:
                sys.stderr.write(f"glam: Ray broke down: its {name} (pid {record.pid}) is gone. {TO_DO}\n")
                sys.stderr.flush()
                if not over:
                    driver.sendall(BROKEN)
                return


if __name__ == "__main__":
    watch(socket.socket(fileno=int(sys.argv[1])), RECORDS.validate_json(sys.argv[2]))
