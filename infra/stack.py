"""`glam up`: Prefect, the deployments, MLflow and the dashboard of one store, on loopback, until Ctrl-C.

    up ──▶ supervisord ──▶ four programs (infra/programs.py), logs in <store>/stack/

Each generation of processes ends with the one before it; what survives all the same carries a mark in
its environment by which the next `up` ends it.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from glam import environment
from glam.store import Store, StoreError
from glam.store.errors import writing
from infra.lifeline import ProcessRecord, end, marked
from infra.places import mlflow_artifacts, stack_logs
from infra.ports import is_free, listener
from infra.programs import PORTS_VARIABLE, STORE_VARIABLE, programs, supervisor_config
from infra.stack_file import Ports, Stack, read_stack, recorded_stack, remove_stack, write_stack

__all__ = ["Ports", "Stack", "StackError", "read_stack", "up"]

MARK_VARIABLE = "GLAM_STACK"
START_SECONDS = 180.0
STOP_SECONDS = 20.0


class StackError(RuntimeError):
    """The stack cannot start or has broken down; the message says which part, where and what to do."""


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def up(store_root: Path, ports: Ports, *, say: Callable[[str], object] = _say) -> int:
    """Starts the stack, says each address as it answers, and stays until SIGINT or SIGTERM.

    Returns 0, or 130 when the signal came before all answered. Where the stack of this store is up
    already it says the addresses and returns 0. Raises StackError when a port is taken or a program
    gives up. Call it from the main thread.
    """
    environment.apply()
    store_root = store_root.absolute()
    with ExitStack() as exits:
        try:
            exits.enter_context(Store(store_root).lock("stack", patience_seconds=0))
        except StoreError:
            if (running := recorded_stack(store_root)) is None:
                raise
            return _say_running(running, say)
        _end_leftovers(store_root)
        _check_ports(ports)
        stopping = exits.enter_context(_signals())
        stack = exits.enter_context(_supervised(store_root, ports))
        if not _wait_until_healthy(stack, store_root, say, stopping):
            return 130
        write_stack(store_root, stack.model_copy(update={"ready": True}))
        say(f"All is up over {store_root}; Ctrl-C ends it.")
        _stay(stack, store_root, say, stopping)
    return 0


def _stay(stack: Stack, store_root: Path, say: Callable[[str], object], stopping: list[int]) -> None:
    told: set[str] = set()
    while not stopping:
        for broken in set(_given_up(stack, store_root)) - told:
            say(f"{broken} has given up; the rest goes on: {_last_words(store_root, broken)}")
            told.add(broken)
        time.sleep(0.5)
    say("Stopping ...")


def _say_running(stack: Stack, say: Callable[[str], object]) -> int:
    say(f"The stack is up already (pid {stack.owner.pid}):" if stack.ready else "The stack is starting already:")
    for title, address in (("Prefect", stack.prefect_page), ("MLflow", stack.mlflow), ("Dashboard", stack.dashboard)):
        say(f"  {title:<10} {address}")
    return 0


def _end_leftovers(store_root: Path) -> None:
    earlier = recorded_stack(store_root)
    if earlier is not None:
        end(marked(MARK_VARIABLE, earlier.mark), patience_seconds=5)
        remove_stack(store_root)


def _check_ports(ports: Ports) -> None:
    for server, port in ports.model_dump().items():
        if not is_free(port):
            owner = listener(port) or "another process"
            raise StackError(
                f"port {port} for {server} is in use by {owner}: end it, or choose another with --{server}-port"
            )


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of being ended by them."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _frame: received.append(got))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _supervised(store_root: Path, ports: Ports) -> Iterator[Stack]:
    """Supervisor and its programs for as long as the block lasts; afterwards none of them is left."""
    folder = stack_logs(store_root)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        mlflow_artifacts(store_root).mkdir(parents=True, exist_ok=True)
        config = folder / "supervisord.conf"
        config.write_text(supervisor_config(programs(store_root, ports)), "utf-8")
        (folder / "supervisor.log").unlink(missing_ok=True)
    mark = uuid.uuid4().hex
    stack = Stack(ports=ports, owner=ProcessRecord.of(), mark=mark)
    write_stack(store_root, stack)
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.supervisor", str(config), str(os.getpid())],
        cwd=folder,
        env={
            **os.environ,
            STORE_VARIABLE: str(store_root),
            PORTS_VARIABLE: ports.model_dump_json(),
            MARK_VARIABLE: mark,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the same lines go to supervisor.log
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal reaches `up` alone
    )
    try:
        stack = stack.model_copy(update={"supervisor": ProcessRecord.of(process.pid)})
        write_stack(store_root, stack)
        yield stack
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        end(marked(MARK_VARIABLE, mark), patience_seconds=3)
        remove_stack(store_root)


def _wait_until_healthy(stack: Stack, store_root: Path, say: Callable[[str], object], stopping: list[int]) -> bool:
    """Whether everything works; False when a signal came first."""
    waiting = programs(store_root, stack.ports)
    started = time.monotonic()
    while waiting and not stopping:
        for broken in _given_up(stack, store_root):
            raise StackError(f"{broken} ends as soon as it starts: {_last_words(store_root, broken)}")
        seconds = time.monotonic() - started
        for name in [name for name, program in waiting.items() if program.healthy()]:
            program = waiting.pop(name)
            say(f"  {program.title:<11} {program.address or 'served'}  (after {seconds:.0f} s)")
        if waiting and seconds > START_SECONDS:
            name = next(iter(waiting))
            raise StackError(f"{name} gives no answer within {START_SECONDS:g} s: {_last_words(store_root, name)}")
        time.sleep(0.2)
    return not stopping


def _given_up(stack: Stack, store_root: Path) -> list[str]:
    """Programs that the supervisor has stopped restarting. Raises StackError when it is gone itself."""
    if stack.supervisor is None or stack.supervisor.find() is None:
        raise StackError(f"the supervisor has ended: {_last_words(store_root, 'supervisor')}")
    log = stack_logs(store_root) / "supervisor.log"
    lines = log.read_text("utf-8", errors="replace").splitlines() if log.exists() else []
    return [line.partition("gave up: ")[2].split(" ")[0] for line in lines if "entered FATAL state" in line]


def _last_words(store_root: Path, name: str) -> str:
    path = stack_logs(store_root) / f"{name}.log"
    lines = path.read_text("utf-8", errors="replace").strip().splitlines() if path.exists() else []
    return f"{lines[-1] if lines else 'it left no log'} (see {path})"
