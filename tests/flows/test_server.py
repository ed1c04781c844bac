"""Prefect's API of a run: ours ends with the driver, however that ends; another's is used and left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.server import Api, ServerError, ServerRecord, local_api, reap
from glam.environment import LOOPBACK
from infra.health import answers
from infra.lifeline import ProcessRecord
from tests.browser.conftest import free_ports

DRIVER = """
import json, os, sys, time
from pathlib import Path
from flows.server import local_api
with local_api(Path(sys.argv[1])) as api:
    assert os.environ["PREFECT_API_URL"] == api.url
    early = {"url": api.url, "server": api.server.process.pid}
    print(json.dumps(early), flush=True)
    api.wait()
    from prefect import flow, task
    @task
    def one(): return 1
    @flow(log_prints=True)
    def count(): return one() + 1
    print(count(), flush=True)
    if sys.argv[2] == "go on":
        api.server.process.kill()
        print(count(), api.server.process.pid != early["server"], flush=True)
    if sys.argv[2] == "stay": time.sleep(120)
"""


def drive(root: Path, what: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(root), what],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_gone(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests here: its Prefect database is built once, which takes most of the time."""
    return tmp_path_factory.mktemp("store")


def test_a_flow_runs_over_our_server_which_ends_with_it(root: Path):
    process = drive(root, "leave")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    first, second = output.strip().splitlines()
    assert second == "2"
    assert "Error logging to API" not in errors
    wait_until_gone(json.loads(first)["server"], 5)
    assert list((root / "prefect" / "servers").iterdir()) == []


def test_the_server_does_not_survive_a_driver_that_is_killed(root: Path):
    process = drive(root, "stay")
    assert process.stdout is not None
    early = json.loads(process.stdout.readline())
    assert process.stdout.readline().strip() == "2"
    listening = {
        connection.laddr[0]
        for connection in psutil.Process(early["server"]).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {LOOPBACK}
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_until_gone(early["server"], 5)
    assert reap(root) == 0, "nothing is left to end, only its record"
    assert list((root / "prefect" / "servers").iterdir()) == []


def test_a_server_that_is_killed_alone_is_started_again_and_the_run_goes_on(root: Path):
    output, errors = drive(root, "go on").communicate(timeout=120)
    assert output.splitlines()[1:] == ["2", "2 True"], errors
    assert "Prefect's server ended with code -9 and was started again" in errors
    assert list((root / "prefect" / "servers").iterdir()) == []


def test_a_server_that_was_left_behind_is_ended_and_one_in_use_is_not(tmp_path: Path):
    records = tmp_path / "prefect" / "servers"
    records.mkdir(parents=True)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    orphan, used = subprocess.Popen(sleeper), subprocess.Popen(sleeper)
    gone = ProcessRecord(pid=1, started=1.0)
    for name, server, driver in (("a", orphan, gone), ("b", used, ProcessRecord.of())):
        record = ServerRecord(server=ProcessRecord.of(server.pid), driver=driver)
        (records / f"{name}.json").write_text(record.model_dump_json(), "utf-8")
    assert reap(tmp_path) == 1
    assert not psutil.pid_exists(orphan.pid)
    assert used.poll() is None
    assert [path.name for path in records.iterdir()] == ["b.json"]
    used.kill()
    used.wait()


def test_a_configured_api_is_used_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    with local_api(tmp_path) as api:
        assert api.url == "http://127.0.0.1:1/api"
        assert api.server is None
        assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
    assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:1/api"
    assert "PREFECT_HOME" not in os.environ


def test_an_api_that_does_not_answer_is_an_error_that_says_where_and_what_to_do():
    (port,) = free_ports(1)
    with pytest.raises(ServerError, match=rf"127\.0\.0\.1:{port}/api gives no answer.*unset PREFECT_API_URL"):
        Api(f"http://127.0.0.1:{port}/api").wait(patience_seconds=0.3)
    assert not answers(f"http://127.0.0.1:{port}/api/health")
