"""How a stack is, and how it ends, told from records and processes; no server is started here."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows import cli
from glam.store import Store
from infra import stack_status
from infra.lifeline import ProcessRecord, marked
from infra.places import stack_logs
from infra.programs import PROGRAMS, Program, Site
from infra.stack_end import down
from infra.stack_file import STACK_MARK, Stack, recorded_stack, write_stack
from infra.stack_status import status
from infra.supervision import ProgramRecord, read_records, write_records
from tests.infra.conftest import stack_ports

SLEEP = "import time; print('here', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
MARK = "test-of-status"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[str]]:
    with sleeping(SLEEP) as process:
        yield process
        process.kill()


def sleeping(code: str, mark: str = MARK) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, STACK_MARK: mark}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()  # before it runs its environment cannot be read
    return process


def record_stack(root: Path, owner: ProcessRecord | None = None) -> Stack:
    stack = Stack(ports=stack_ports(), ready=True, owner=owner or ProcessRecord.of(), mark=MARK)
    write_stack(root, stack)
    stack_logs(root).mkdir(exist_ok=True)
    return stack


def running(process: subprocess.Popen[str], **changes: object) -> ProgramRecord:
    record = {"state": "running", "process": ProcessRecord.of(process.pid), "starts": 1, **changes}
    return ProgramRecord.model_validate(record, from_attributes=True)


def glam(root: Path, *arguments: str) -> int:
    return cli._run([*arguments, "--store", str(root)])


def healthy(names: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the health pages of these programs answer, and of no others."""

    def made(site: Site) -> dict[str, Program]:
        return {
            name: Program(name, "m", (), lambda name=name: name in names, address=make(site).address)
            for name, make in PROGRAMS.items()
        }

    monkeypatch.setattr(stack_status, "programs", made)


def test_nothing_up_is_said_and_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert glam(tmp_path, "status") == 1
    assert "nothing is up over" in capsys.readouterr().out
    assert glam(tmp_path, "status", "--json") == 1
    assert json.loads(capsys.readouterr().out) == []
    record_stack(tmp_path, ProcessRecord(pid=os.getpid(), started=1.0))
    assert status(tmp_path) == [], "its owner is gone"


def test_all_healthy_is_exit_code_0(
    tmp_path: Path,
    sleeper: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack = record_stack(tmp_path)
    healthy(set(PROGRAMS), monkeypatch)
    write_records(stack_logs(tmp_path), {name: running(sleeper, starts=3) for name in PROGRAMS})
    assert glam(tmp_path, "status", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(PROGRAMS)
    assert {(row["health"], row["pid"], row["restarts"], row["last_line"]) for row in rows.values()} == {
        ("healthy", sleeper.pid, 2, None)
    }
    assert rows["serve"]["address"] == stack.serve
    assert rows["ray"]["address"] == stack.ray
    assert all(row["since"] for row in rows.values())


def test_what_is_down_is_shown_with_its_last_word_and_exit_code_1(
    tmp_path: Path,
    sleeper: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record_stack(tmp_path)
    healthy({"prefect", "serve"}, monkeypatch)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a-secret-of-mlflow")
    (stack_logs(tmp_path) / "mlflow.log").write_text("all well\nrefused a-secret-of-mlflow\n")
    gone = ProcessRecord(pid=sleeper.pid, started=1.0)
    records = {
        "prefect": running(sleeper),
        "mlflow": ProgramRecord(state="fatal", process=None, starts=4),
        "dashboard": ProgramRecord(state="backoff", process=None, starts=2),
        "serve": ProgramRecord(state="running", process=gone, starts=1),
        "ray": running(sleeper),
    }
    write_records(stack_logs(tmp_path), records)
    found = {each.name: each for each in status(tmp_path)}
    assert {name: each.health for name, each in found.items()} == {
        "prefect": "healthy",
        "mlflow": "failed",
        "dashboard": "restarting",
        "serve": "no answer",
        "ray": "no answer",
        "deployments": "starting",
    }
    assert found["mlflow"].last_line == "refused ***"
    assert found["mlflow"].pid is None
    assert found["mlflow"].since is None
    assert glam(tmp_path, "status") == 1
    shown = capsys.readouterr().out
    assert "refused ***" in shown
    assert "a-secret-of-mlflow" not in shown


@pytest.mark.parametrize("code", [SLEEP, STUBBORN])
def test_down_ends_what_carries_the_mark_and_says_so(
    tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.stack_end.OWNER_SECONDS", 0.5)
    owner, stray = sleeping(code), sleeping(SLEEP)
    record_stack(tmp_path, ProcessRecord.of(owner.pid))
    said: list[str] = []
    assert down(tmp_path, say=said.append) == 0
    assert said == [f"The stack over {tmp_path} is down."]
    assert owner.wait(timeout=5) is not None
    assert stray.wait(timeout=5) is not None
    assert not marked(STACK_MARK, MARK)
    assert recorded_stack(tmp_path) is None


def test_down_where_nothing_is_up_says_so_and_is_no_failure(tmp_path: Path) -> None:
    said: list[str] = []
    assert down(tmp_path, say=said.append) == 0
    record_stack(tmp_path, ProcessRecord(pid=os.getpid(), started=1.0))
    assert down(tmp_path, say=said.append) == 0
    assert said == [f"nothing is up over {tmp_path}"] * 2
    assert recorded_stack(tmp_path) is None


def test_down_leaves_other_stacks_alone(tmp_path: Path) -> None:
    other = sleeping(SLEEP, mark="another-stack")
    record_stack(tmp_path, ProcessRecord(pid=1, started=1.0))
    down(tmp_path, say=lambda _line: None)
    assert other.poll() is None
    other.kill()
    other.wait()


def test_the_supervisor_records_each_program_and_each_start(tmp_path: Path) -> None:
    config = tmp_path / "supervisord.conf"
    config.write_text(
        "[supervisord]\nnodaemon=true\nlogfile=supervisor.log\npidfile=supervisor.pid\n"
        f"[program:good]\ncommand={sys.executable} -c 'import time; time.sleep(60)'\nstartsecs=0\nautorestart=true\n"
        "[program:bad]\ncommand=/bin/false\nstartsecs=1\nstartretries=0\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.supervisor", str(config), str(os.getpid())],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(stack_status.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
    )

    def wait_for(good_starts: int) -> dict[str, ProgramRecord]:
        deadline = time.monotonic() + 30
        while True:
            records = read_records(tmp_path)
            good, bad = records.get("good"), records.get("bad")
            if good and bad and good.starts == good_starts and good.process and bad.state == "fatal":
                return records
            assert time.monotonic() < deadline, records
            time.sleep(0.1)

    try:
        first = wait_for(1)["good"].process
        assert first is not None
        psutil.Process(first.pid).kill()
        again = wait_for(2)
        assert again["good"].process != first
        assert again["bad"] == ProgramRecord(state="fatal", process=None, starts=1)
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_a_detached_start_that_fails_says_why_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    ports = stack_ports()
    with socket.create_server(("127.0.0.1", ports.serve)):
        options = [f"--{name}-port={port}" for name, port in ports.model_dump().items()]
        assert glam(tmp_path, "up", "--detach", *options) == 1
    printed = capsys.readouterr()
    assert f"port {ports.serve} for serve is in use by" in printed.err
    assert "--serve-port" in printed.err
    assert recorded_stack(tmp_path) is None
    with Store(tmp_path).lock("stack", patience_seconds=0):
        pass


def test_a_detached_start_beside_a_running_stack_says_its_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = record_stack(tmp_path)
    (stack_logs(tmp_path) / "up.log").write_text("what the running one said\n")
    assert glam(tmp_path, "up", "--detach") == 0
    assert stack.serve in capsys.readouterr().out
    assert (stack_logs(tmp_path) / "up.log").read_text() == "what the running one said\n"
