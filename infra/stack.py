"""`glam up`: the programs of one store, on loopback unless told otherwise, until Ctrl-C or `glam down`.

    up ──▶ supervisord ──▶ six programs (infra/programs.py), logs in <store>/stack/

Each generation of processes ends with the one before it; what survives all the same carries a mark in
its environment by which the next `up`, or `down`, ends it.
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
from glam.environment import LOOPBACK
from glam.store import Store, StoreError
from glam.store.errors import writing
from infra.bucket import BucketError, check_bucket
from infra.lifeline import ProcessRecord, end, marked
from infra.places import mlflow_artifacts, stack_logs
from infra.ports import is_free, is_loopback, listener, require_host
from infra.programs import Site, programs, write_mlflow_auth
from infra.settings import PREFECT_SERVER_AUTH, Settings, check_settings
from infra.stack_file import STACK_MARK, Ports, Stack, recorded_stack, remove_stack, write_stack
from infra.supervision import STATES_FILE, last_words, read_records, supervisor_config

START_SECONDS = 180.0
STOP_SECONDS = 45.0

Say = Callable[[str], object]


class StackError(RuntimeError):
    """The stack cannot start or has broken down; the message says which part, where and what to do."""


def say_line(line: str) -> None:
    """On stdout, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def up(store_root: Path, ports: Ports, *, host: str = LOOPBACK, say: Say = say_line) -> int:
    """Starts the stack, says each address as it answers, and stays until SIGINT or SIGTERM.

    Returns 0, or 130 when the signal came before all answered. Where the stack of this store is up
    already it says the addresses and returns 0. Raises ValueError for settings that are not right, and StackError when
    a port is taken, a database is not there, or a program gives up. Call it from the main thread.
    """
    environment.apply()
    check_settings()
    require_host(host)
    site = Site(store_root.absolute(), ports, host, Settings.read())
    with ExitStack() as exits:
        try:
            exits.enter_context(Store(site.store_root).lock("stack", patience_seconds=0))
        except StoreError:
            if (running := recorded_stack(site.store_root)) is None:
                raise
            return say_running(running, say)
        _end_leftovers(site.store_root, say)
        _check_ports(site)
        _check_databases(site.settings)
        _check_bucket(site.settings)
        for danger in dangers(site):
            say(f"WARNING: {danger}")
        stopping = exits.enter_context(_signals())
        stack = exits.enter_context(_supervised(site))
        if not _wait_until_healthy(stack, site, say, stopping):
            return 130
        write_stack(site.store_root, stack.model_copy(update={"ready": True}))
        say(f"All is up over {site.store_root}; Ctrl-C or `glam down` ends it.")
        _stay(stack, site, say, stopping)
    return 0


def say_running(stack: Stack, say: Say) -> int:
    """The addresses of a stack that somebody else holds."""
    say(f"The stack is up already (pid {stack.owner.pid}):" if stack.ready else "The stack is starting already:")
    for title, address in stack.addresses.items():
        say(f"  {title:<11} {address}")
    return 0


def _stay(stack: Stack, site: Site, say: Say, stopping: list[int]) -> None:
    told: set[str] = set()
    while not stopping:
        for broken in set(_given_up(stack, site)) - told:
            say(f"{broken} has given up; the rest goes on: {_last_words(site, broken)}")
            told.add(broken)
        time.sleep(0.5)
    say("Stopping ...")


def _end_leftovers(store_root: Path, say: Say) -> None:
    earlier = recorded_stack(store_root)
    if earlier is not None:
        if left := marked(STACK_MARK, earlier.mark):
            say(f"An earlier stack left {len(left)} processes behind; they are ended first.")
        end(left, patience_seconds=5)
        remove_stack(store_root)


def _check_ports(site: Site) -> None:
    for server, port in site.ports.each():
        if not is_free(port, LOOPBACK if server == "ray" else site.host):
            owner = listener(port) or "another process"
            raise StackError(
                f"port {port} for {server} is in use by {owner}: end it, or choose another with --{server}-port"
            )


def _check_databases(settings: Settings) -> None:
    if settings.prefect_database is None and settings.mlflow_database is None:
        return
    from infra.databases import DatabaseError, check_databases  # SQLAlchemy takes half a second

    try:
        check_databases(settings)
    except DatabaseError as error:
        raise StackError(str(error)) from None  # the traceback holds the password


def _check_bucket(settings: Settings) -> None:
    try:
        check_bucket(settings)
    except BucketError as error:
        raise StackError(str(error)) from None


def dangers(site: Site) -> list[str]:
    """What a person should know who opens the stack to other machines; nothing on loopback."""
    if is_loopback(site.host):
        return []
    opened = "the dashboard and completions" if site.settings.mlflow_auth else "MLflow, the dashboard and completions"
    found = [f"whoever reaches {site.host} reaches {opened}, which ask for no password (docs/stack.md)"]
    if not site.settings.prefect_auth:
        found.append(
            f"whoever reaches {site.host}:{site.ports.prefect} can start code on this machine, for Prefect asks for no "
            f"password: set {PREFECT_SERVER_AUTH}=user:password"
        )
    return found


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
def _supervised(site: Site) -> Iterator[Stack]:
    """Supervisor and its programs for as long as the block lasts; afterwards none of them is left."""
    folder = stack_logs(site.store_root)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        mlflow_artifacts(site.store_root).mkdir(parents=True, exist_ok=True)
        config = folder / "supervisord.conf"
        config.write_text(supervisor_config(programs(site)), "utf-8")
        (folder / STATES_FILE).unlink(missing_ok=True)
        if site.settings.mlflow_auth:
            write_mlflow_auth(site.store_root)
    stack = Stack(ports=site.ports, host=site.host, owner=ProcessRecord.of(), mark=uuid.uuid4().hex)
    write_stack(site.store_root, stack)
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.supervisor", str(config), str(os.getpid())],
        cwd=folder,
        env={**os.environ, **site.variables, STACK_MARK: stack.mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the same lines go to supervisor.log
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal reaches `up` alone
    )
    try:
        stack = stack.model_copy(update={"supervisor": ProcessRecord.of(process.pid)})
        write_stack(site.store_root, stack)
        yield stack
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        end(marked(STACK_MARK, stack.mark), patience_seconds=3)
        remove_stack(site.store_root)


def _wait_until_healthy(stack: Stack, site: Site, say: Say, stopping: list[int]) -> bool:
    """Whether everything works; False when a signal came first."""
    waiting = programs(site)
    started = time.monotonic()
    while waiting and not stopping:
        for broken in _given_up(stack, site):
            raise StackError(f"{broken} ends as soon as it starts: {_last_words(site, broken)}")
        seconds = time.monotonic() - started
        for name in [name for name, program in waiting.items() if program.healthy()]:
            program = waiting.pop(name)
            say(f"  {program.title:<11} {program.address or 'served'}  (after {seconds:.0f} s)")
        if waiting and seconds > START_SECONDS:
            name = next(iter(waiting))
            raise StackError(f"{name} gives no answer within {START_SECONDS:g} s: {_last_words(site, name)}")
        time.sleep(0.2)
    return not stopping


def _given_up(stack: Stack, site: Site) -> list[str]:
    """Programs that the supervisor has stopped restarting. Raises StackError when it is gone itself."""
    if stack.supervisor is None or stack.supervisor.find() is None:
        raise StackError(f"the supervisor has ended: {_last_words(site, 'supervisor')}")
    return [name for name, record in read_records(stack_logs(site.store_root)).items() if record.state == "fatal"]


def _last_words(site: Site, name: str) -> str:
    folder = stack_logs(site.store_root)
    return f"{site.settings.hide(last_words(folder, name))} (see {folder / name}.log)"
