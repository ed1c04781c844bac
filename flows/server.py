"""Prefect's API for one run when no server is configured: ours, tied to this process, on loopback.

Prefect's own temporary server outlives a driver that is killed with -9. This one ends with its parent
(`infra/lifeline.py`), and the next start removes what an earlier one may have left. Killed alone it is
started again behind the same socket, where requests wait meanwhile, so that the run goes on. It starts
at once and is waited for later, because it needs 3 to 12 seconds. Must be entered before Prefect is
imported.

As a program (`python -m flows.server FD PARENT`) it is the server itself.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from glam import environment
from glam.environment import LOOPBACK
from glam.store import Store
from glam.store.errors import writing
from infra.health import answers, count_deployments
from infra.lifeline import ProcessRecord, end, end_with_parent
from infra.places import prefect_home
from infra.programs import prefect_environment
from infra.settings import PREFECT_CLIENT_AUTH, Settings
from infra.stack_file import read_stack

START_SECONDS = 120.0
SECONDS_BETWEEN_STARTS = 1.0
SCHEMA = "schema_version"


class ServerError(RuntimeError):
    """Prefect's API does not answer; the message says where it was looked for and what to do."""


class ServerRecord(BaseModel):
    """A server of ours and the run it belongs to, for whoever has to clean up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server: ProcessRecord
    driver: ProcessRecord


class Api:
    """Prefect's API at `url`, ours (`server`) or one that was there."""

    def __init__(self, url: str, *, server: "KeptServer | None" = None):
        self.url = url
        self.server = server

    def wait(self, *, patience_seconds: float | None = None) -> str:
        """The address, once it answers. Raises ServerError when it does not, with the reason where it is known.

        Waits 120 s for a server of ours and 10 s for one that should be there, unless told otherwise.
        """
        patience = patience_seconds or (START_SECONDS if self.server is not None else 10.0)
        deadline = time.monotonic() + patience
        while not answers(f"{self.url}/health"):
            if self.server is not None and (code := self.server.gave_up) is not None:
                raise ServerError(f"Prefect's server ended with code {code}: {self.server.last_words()}")
            if time.monotonic() > deadline:
                raise ServerError(
                    f"Prefect's API at {self.url} gives no answer within {patience:g} s: "
                    + (self.server.last_words() if self.server else "start it, or unset PREFECT_API_URL to do without")
                )
            time.sleep(0.1)
        if count_deployments(self.url, os.environ.get(PREFECT_CLIENT_AUTH)) is None:
            raise ServerError(
                f"Prefect's API at {self.url} refuses us: set {PREFECT_CLIENT_AUTH} to the user:password it asks for"
            )
        if self.server is not None:
            self.server.ready()
        return self.url


class KeptServer:
    """The server of this run on a bound socket; once ready it is started again whenever it ends, until `stop`."""

    def __init__(self, store_root: Path, listener: socket.socket, *, migrate: bool, when_ready: Callable[[], None]):
        self.gave_up: int | None = None
        """The code with which it ended before it was ready, if it did."""
        self._root = store_root
        self._listener = listener
        self._migrate = migrate
        self._when_ready = when_ready
        self._log = prefect_home(store_root) / "server.log"
        self._changing = threading.Lock()
        self._is_ready = self._stopping = False
        with writing(self._log):
            self._log.write_bytes(b"")
        self.process = self._started()
        threading.Thread(target=self._keep, name="Prefect's server", daemon=True).start()

    def ready(self) -> None:
        """It has answered: from here on it is kept alive."""
        with self._changing:
            self._is_ready, self._migrate = True, False
        self._when_ready()

    def stop(self) -> None:
        """Ends it for good."""
        with self._changing:
            self._stopping = True
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # an open connection keeps it; the database is safe with SIGKILL
            self.process.kill()
            self.process.wait()
        self._record_of(self.process).unlink(missing_ok=True)

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        return f"{' | '.join(lines[-5:]) or 'its log is empty'} ({self._log})"

    def _keep(self) -> None:
        while True:
            code = self.process.wait()
            with self._changing:
                if self._stopping:
                    return
                if not self._is_ready:
                    self.gave_up = code
                    return
                self._record_of(self.process).unlink(missing_ok=True)
                self.process = self._started()
            sys.stderr.write(f"Prefect's server ended with code {code} and was started again ({self._log})\n")
            time.sleep(SECONDS_BETWEEN_STARTS)

    def _started(self) -> subprocess.Popen[bytes]:
        with open(self._log, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "flows.server", str(self._listener.fileno()), str(os.getpid())],
                env={**os.environ, **prefect_environment(self._root, migrate=self._migrate)},
                pass_fds=(self._listener.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the driver, which then ends the server
            )
        record = ServerRecord(server=ProcessRecord.of(process.pid), driver=ProcessRecord.of())
        with writing(self._record_of(process)):
            self._record_of(process).parent.mkdir(exist_ok=True)
            self._record_of(process).write_text(record.model_dump_json(), "utf-8")
        return process

    def _record_of(self, process: subprocess.Popen[bytes]) -> Path:
        return prefect_home(self._root) / "servers" / f"{process.pid}.json"


@contextmanager
def local_api(store_root: Path) -> Iterator[Api]:
    """Prefect's API for as long as the block lasts; `Api.wait()` gives the address once it answers.

    Uses PREFECT_API_URL or the stack of this store where there is one. Sets PREFECT_API_URL and
    PREFECT_HOME, so it has to come before Prefect's import; call it from the main thread, since the
    server lives no longer than the thread that starts it.
    """
    environment.apply()
    store_root = store_root.absolute()
    home = prefect_home(store_root)
    with writing(home):
        home.mkdir(parents=True, exist_ok=True)
    reap(store_root)
    known = os.environ.get("PREFECT_API_URL") or (stack.prefect_api if (stack := read_stack(store_root)) else None)
    with ExitStack() as exits:
        api = Api(known) if known else exits.enter_context(_own_server(store_root))
        clients = Settings.read().prefect_clients
        exits.enter_context(_environment(PREFECT_API_URL=api.url, PREFECT_HOME=str(home), **clients))
        yield api


def reap(store_root: Path) -> int:
    """Ends servers of ours whose driver is gone, and gives back how many there were."""
    ended = 0
    for path in sorted((prefect_home(store_root) / "servers").glob("*.json")):
        record = ServerRecord.model_validate_json(path.read_bytes())
        if record.driver.find() is not None:
            continue
        if (process := record.server.find()) is not None:
            end([process], patience_seconds=3)
            ended += 1
        path.unlink(missing_ok=True)
    return ended


@contextmanager
def _own_server(store_root: Path) -> Iterator[Api]:
    assert "prefect" not in sys.modules, "Prefect reads its settings at import: enter local_api() before"
    assert threading.current_thread() is threading.main_thread(), "the server would end with this thread"
    schema, version = prefect_home(store_root) / SCHEMA, metadata.version("prefect")
    migrated = schema.exists() and schema.read_text("utf-8") == version
    with ExitStack() as building, socket.create_server((LOOPBACK, 0), backlog=128) as listener:
        if not migrated:  # two servers must not build one database
            building.enter_context(Store(store_root).lock("prefect-schema", patience_seconds=START_SECONDS))

        def built() -> None:
            schema.write_text(version, "utf-8")
            building.close()

        server = KeptServer(store_root, listener, migrate=not migrated, when_ready=built)
        try:
            yield Api(f"http://{LOOPBACK}:{listener.getsockname()[1]}/api", server=server)
        finally:
            # After a failure or an interruption too: Prefect would try for minutes at the end of the process.
            _send_reports()
            server.stop()


def _send_reports() -> None:
    """Prefect sends logs and events from threads; what is still queued would meet a server that is gone."""
    if "prefect" in sys.modules:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        for sender in (EventsWorker, APILogWorker):
            sender.drain_all(timeout=5)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


def serve(descriptor: int, parent_pid: int) -> None:
    """Runs the server on a bound socket until it is told to stop or its parent ends."""
    end_with_parent(parent_pid, signal.SIGKILL)
    os.environ.update({"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false"})
    import uvicorn
    from prefect.server.api.server import create_app

    config = uvicorn.Config(create_app(final=True), log_level="warning", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
