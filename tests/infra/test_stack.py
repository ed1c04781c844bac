"""The stack's configuration, its record, and what stops it from starting. No server is started here."""

import configparser
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from glam.environment import LOOPBACK
from glam.store import Store
from infra.lifeline import ProcessRecord, end, marked
from infra.programs import programs, supervisor_config
from infra.stack import MARK_VARIABLE, StackError, up
from infra.stack_file import Ports, Stack, read_stack, remove_stack, write_stack

PORTS = Ports(prefect=14200, mlflow=15000, dashboard=18501)


def stack(**changes: object) -> Stack:
    return Stack.model_validate(
        {"ports": PORTS, "ready": True, "owner": ProcessRecord.of(), "mark": "m", **changes}, from_attributes=True
    )


def test_every_program_listens_on_loopback_only(tmp_path: Path):
    for name, program in programs(tmp_path, PORTS).items():
        assert "0.0.0.0" not in " ".join(program.arguments)
        if program.address is not None:
            assert program.address.startswith(f"http://{LOOPBACK}:"), name
            assert LOOPBACK in program.arguments, name


def test_mlflow_serves_no_artifacts_and_keeps_them_in_the_store(tmp_path: Path):
    arguments = programs(tmp_path, PORTS)["mlflow"].arguments
    assert "--no-serve-artifacts" in arguments
    assert arguments[arguments.index("--default-artifact-root") + 1] == str(tmp_path / "mlflow" / "artifacts")
    assert arguments[arguments.index("--backend-store-uri") + 1] == f"sqlite:///{tmp_path}/mlflow/mlflow.db"


def test_the_supervisor_is_told_no_path_of_a_person_and_opens_no_port(tmp_path: Path):
    store = tmp_path / "a store; with %(odd)s 'name'"
    names = programs(store, PORTS)
    text = supervisor_config(names)
    assert str(store) not in text
    config = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    config.read_string(text)
    assert set(config.sections()) == {"supervisord", *(f"program:{name}" for name in names)}
    for name in names:
        command = shlex.split(config[f"program:{name}"]["command"].replace("%%", "%"))
        assert command == [sys.executable, "-m", "infra.programs", name]


def test_three_servers_need_three_ports():
    with pytest.raises(ValidationError, match="three servers need three ports"):
        Ports(prefect=5000)


def test_a_port_in_use_is_an_error_within_a_second_that_names_port_and_process(tmp_path: Path):
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(
            StackError, match=rf"port {port} for mlflow is in use by .*pid {os.getpid()}.*--mlflow-port"
        ):
            up(tmp_path, Ports(prefect=14200, mlflow=port, dashboard=18501))
        assert time.monotonic() - started < 1
    assert not (tmp_path / "stack.json").exists()


def test_a_second_up_says_that_it_is_up(tmp_path: Path):
    write_stack(tmp_path, stack())
    said: list[str] = []
    with Store(tmp_path).lock("stack"):
        assert up(tmp_path, Ports(), say=said.append) == 0
    text = "\n".join(said)
    assert "up already" in text
    for address in ("http://127.0.0.1:14200", "http://127.0.0.1:15000", "http://127.0.0.1:18501"):
        assert address in text


def test_only_a_live_and_ready_stack_is_read(tmp_path: Path):
    assert read_stack(tmp_path) is None
    write_stack(tmp_path, stack())
    found = read_stack(tmp_path)
    assert found is not None
    assert found.prefect_api == "http://127.0.0.1:14200/api"
    write_stack(tmp_path, stack(ready=False))
    assert read_stack(tmp_path) is None
    write_stack(tmp_path, stack(owner=ProcessRecord(pid=os.getpid(), started=1.0)))
    assert read_stack(tmp_path) is None, "another process has that pid now"
    remove_stack(tmp_path)
    assert read_stack(tmp_path) is None


def test_a_record_that_is_not_ours_is_an_error_that_names_the_file(tmp_path: Path):
    (tmp_path / "stack.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match=r"stack\.json is not the record of a stack: remove it"):
        read_stack(tmp_path)


def test_processes_are_found_by_their_mark_and_ended_even_when_they_refuse():
    code = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, MARK_VARIABLE: "test-mark"}, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    found = marked(MARK_VARIABLE, "test-mark")
    assert [each.pid for each in found] == [process.pid]
    end(found, patience_seconds=0.3)
    process.wait(timeout=5)
    assert not marked(MARK_VARIABLE, "test-mark")
    process.stdout.close()


def test_what_a_killed_stack_left_is_ended_by_the_next_start(tmp_path: Path):
    left = subprocess.Popen(
        [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"],
        env={**os.environ, MARK_VARIABLE: "left-behind"},
        stdout=subprocess.PIPE,
    )
    assert left.stdout is not None
    left.stdout.readline()  # before it runs its environment cannot be read
    write_stack(tmp_path, stack(mark="left-behind", owner=ProcessRecord(pid=1, started=1.0)))
    with socket.create_server((LOOPBACK, 0)) as taken, pytest.raises(StackError):
        up(tmp_path, Ports(prefect=14200, mlflow=15000, dashboard=taken.getsockname()[1]))
    assert left.wait(timeout=5) is not None
    left.stdout.close()
    assert not marked(MARK_VARIABLE, "left-behind")
    assert not (tmp_path / "stack.json").exists()


def test_a_process_record_tells_a_reused_pid():
    record = ProcessRecord.of()
    assert record.find() == psutil.Process()
    assert ProcessRecord(pid=record.pid, started=record.started - 100).find() is None
