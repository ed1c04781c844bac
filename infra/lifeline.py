"""Processes that end with the one that started them, even when that is killed with -9.

Three nets: the kernel's parent-death signal (Linux) for our own children; a guardian for what others
start in our name; and a record of pid and start time by which the next start recognises what an earlier
one left behind. A pid alone proves nothing: numbers are reused.

As a program (`python -m infra.lifeline FD VARIABLE VALUE SECONDS`) it is the guardian.
"""

import ctypes
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil
from pydantic import BaseModel, ConfigDict

PR_SET_PDEATHSIG = 1
START_TOLERANCE_SECONDS = 1.0
PATIENCE_SECONDS = 2.0


class ProcessRecord(BaseModel):
    """A process by what no other process shares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    started: float
    """Seconds since the epoch, as the kernel tells them."""

    @classmethod
    def of(cls, pid: int | None = None) -> "ProcessRecord":
        """The record of a living process, this one by default. Raises psutil.NoSuchProcess."""
        process = psutil.Process(pid)
        return cls(pid=process.pid, started=process.create_time())

    def find(self) -> psutil.Process | None:
        """The process if it still lives and is the same one; a zombie is dead."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < START_TOLERANCE_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def end_with_parent(parent_pid: int, signal_number: signal.Signals) -> None:
    """Asks the kernel to signal this process when its parent's starting thread ends; other systems than Linux cannot.

    `parent_pid` is what the parent called itself: if that is no longer our parent, it died before we
    asked, and this process exits.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        raise SystemExit(f"the parent {parent_pid} of process {os.getpid()} is gone")


def end(processes: Iterable[psutil.Process], *, patience_seconds: float) -> None:
    """SIGTERM to each, SIGKILL to those that live on after `patience_seconds`; returns when all are gone."""
    living = list(processes)
    for process in living:
        _signal(process, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(living, timeout=patience_seconds)
    for process in stubborn:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=5)


def marked(variable: str, value: str) -> list[psutil.Process]:
    """Processes of this user that were started with `variable=value` in their environment, this one left out."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(variable) == value:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # ended meanwhile, or another user's: not ours
    return found


@contextmanager
def guarded(variable: str, *, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """What is started in the block is gone soon after it, or after this process, however that ends.

    Everything started in the block, directly or not, inherits the environment variable `variable`, by
    which a guardian finds it. The guardian sees this process end by the end of a pipe between them; it sends
    SIGTERM, and SIGKILL to what lives on after `patience_seconds`.
    """
    mark = uuid.uuid4().hex
    reader, writer = os.pipe()
    guardian = subprocess.Popen(
        [sys.executable, "-m", "infra.lifeline", str(reader), variable, mark, str(patience_seconds)],
        pass_fds=(reader,),
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the others
    )
    os.close(reader)
    os.environ[variable] = mark
    try:
        yield
    finally:
        del os.environ[variable]
        os.close(writer)
        guardian.wait()


def _guard(descriptor: int, variable: str, value: str, patience_seconds: float) -> None:
    os.read(descriptor, 1)  # nothing is ever written; it returns when the other end is closed
    end(marked(variable, value), patience_seconds=patience_seconds)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # ended by itself, which is what was wanted


if __name__ == "__main__":
    _guard(int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]))
