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
from infra.programs import Site, programs
from infra.settings import Settings
from infra.stack import StackError, dangers, up
from infra.stack_file import STACK_MARK, Ports, Stack, read_stack, remove_stack, write_stack
from infra.supervision import supervisor_config
from tests.infra.conftest import stack_ports

PORTS = Ports(prefect=14200, mlflow=15000, dashboard=18501, serve=18601, ray=16390)


def stack(**changes: object) -> Stack:
    return Stack.model_validate(
        {"ports": PORTS, "ready": True, "owner": ProcessRecord.of(), "mark": "m", **changes}, from_attributes=True
    )


def test_every_program_listens_on_loopback_only(tmp_path: Path):
    for name, program in programs(Site(tmp_path, PORTS)).items():
        assert "0.0.0.0" not in " ".join(program.arguments)
        if program.address is not None:
            assert program.address.removeprefix("http://").startswith(f"{LOOPBACK}:"), name


def test_another_host_is_that_of_every_page_and_not_of_ray(tmp_path: Path):
    made = programs(Site(tmp_path, PORTS, "192.0.2.7"))
    assert made["ray"].address == f"{LOOPBACK}:{PORTS.ray}"
    for name in ("prefect", "mlflow", "dashboard", "serve"):
        assert made[name].address == f"http://192.0.2.7:{getattr(PORTS, name)}"
        assert "192.0.2.7" in made[name].arguments
    assert made["deployments"].environment["PREFECT_API_URL"] == f"http://192.0.2.7:{PORTS.prefect}/api"
    assert made["mlflow"].environment["MLFLOW_SERVER_ALLOWED_HOSTS"] == f"192.0.2.7:{PORTS.mlflow}"


def test_runs_from_the_pages_share_the_stacks_ray_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert programs(Site(tmp_path, PORTS))["deployments"].environment["RAY_ADDRESS"] == f"{LOOPBACK}:{PORTS.ray}"
    monkeypatch.setenv("RAY_ADDRESS", "10.1.2.3:6379")
    assert programs(Site(tmp_path, PORTS))["deployments"].environment["RAY_ADDRESS"] == "10.1.2.3:6379"


def test_mlflow_serves_no_artifacts_and_keeps_them_in_the_store(tmp_path: Path):
    program = programs(Site(tmp_path, PORTS))["mlflow"]
    assert "--no-serve-artifacts" in program.arguments
    assert program.environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == (tmp_path / "mlflow" / "artifacts").as_uri()
    assert program.environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mlflow/mlflow.db"


def test_the_supervisor_is_told_no_path_of_a_person_and_opens_no_port(tmp_path: Path):
    store = tmp_path / "a store; with %(odd)s 'name'"
    names = programs(Site(store, PORTS))
    text = supervisor_config(names)
    assert str(store) not in text
    config = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    config.read_string(text)
    assert set(config.sections()) == {"supervisord", *(f"program:{name}" for name in names)}
    for name in names:
        command = shlex.split(config[f"program:{name}"]["command"].replace("%%", "%"))
        assert command == [sys.executable, "-m", "infra.programs", name]


def test_two_servers_need_two_ports_and_ray_takes_seven():
    with pytest.raises(ValidationError, match="port 5000 is asked for by prefect and by mlflow"):
        Ports(prefect=5000)
    with pytest.raises(ValidationError, match="port 8601 is asked for by serve and by ray"):
        Ports(ray=8595)
    assert [port for server, port in PORTS.each() if server == "ray"] == list(range(16390, 16397))


def test_opening_it_to_others_is_warned_of_by_what_asks_for_no_password(tmp_path: Path):
    assert dangers(Site(tmp_path, PORTS)) == []
    nothing, auth = Settings(), {"prefect_auth": "a:b"}
    for settings, names in (
        (nothing, ["MLflow, the dashboard and completions", "start code"]),
        (Settings(**auth), ["MLflow, the dashboard and completions"]),
        (Settings(**auth, mlflow_auth=True), ["reaches the dashboard and completions"]),
    ):
        found = dangers(Site(tmp_path, PORTS, host="192.0.2.1", settings=settings))
        assert len(found) == len(names)
        assert all(name in danger for name, danger in zip(names, found, strict=True))


@pytest.mark.parametrize(
    ("host", "reason"),
    [("0.0.0.0", "stands for all addresses"), ("192.0.2.255", "is not of this machine"), ("::1", "no IPv4 address")],
)
def test_a_host_that_no_browser_could_open_is_refused_with_those_that_could(tmp_path: Path, host: str, reason: str):
    with pytest.raises(ValueError, match=rf"{reason}.*take one address of this machine: .*127\.0\.0\.1"):
        up(tmp_path, PORTS, host=host)
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_an_error_within_a_second_that_names_port_and_process(tmp_path: Path):
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(
            StackError, match=rf"port {port} for mlflow is in use by .*pid {os.getpid()}.*--mlflow-port"
        ):
            up(tmp_path, stack_ports(mlflow=port))
        assert time.monotonic() - started < 1
    assert not (tmp_path / "stack.json").exists()


def test_a_second_up_says_that_it_is_up(tmp_path: Path):
    write_stack(tmp_path, stack())
    said: list[str] = []
    with Store(tmp_path).lock("stack"):
        assert up(tmp_path, Ports(), say=said.append) == 0
    text = "\n".join(said)
    assert "up already" in text
    for port in (14200, 15000, 18501, 18601, 16390):
        assert f"127.0.0.1:{port}" in text


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
        [sys.executable, "-c", code], env={**os.environ, STACK_MARK: "test-mark"}, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    found = marked(STACK_MARK, "test-mark")
    assert [each.pid for each in found] == [process.pid]
    end(found, patience_seconds=0.3)
    process.wait(timeout=5)
    assert not marked(STACK_MARK, "test-mark")
    process.stdout.close()


def test_what_a_killed_stack_left_is_ended_by_the_next_start(tmp_path: Path):
    left = subprocess.Popen(
        [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"],
        env={**os.environ, STACK_MARK: "left-behind"},
        stdout=subprocess.PIPE,
    )
    assert left.stdout is not None
    left.stdout.readline()  # before it runs its environment cannot be read
    write_stack(tmp_path, stack(mark="left-behind", owner=ProcessRecord(pid=1, started=1.0)))
    with socket.create_server((LOOPBACK, 0)) as taken, pytest.raises(StackError):
        up(tmp_path, stack_ports(dashboard=taken.getsockname()[1]))
    assert left.wait(timeout=5) is not None
    left.stdout.close()
    assert not marked(STACK_MARK, "left-behind")
    assert not (tmp_path / "stack.json").exists()


def test_a_process_record_tells_a_reused_pid():
    record = ProcessRecord.of()
    assert record.find() == psutil.Process()
    assert ProcessRecord(pid=record.pid, started=record.started - 100).find() is None
