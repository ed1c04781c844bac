"""`glam up` for real, once: every address answers, on loopback only, and nothing is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.health import answers
from infra.lifeline import marked
from infra.stack import MARK_VARIABLE
from infra.stack_file import recorded_stack
from tests.browser.conftest import free_ports

pytestmark = pytest.mark.browser

UP = """
import sys
from pathlib import Path
from infra.stack import Ports, up
sys.exit(up(Path(sys.argv[1]), Ports(prefect=int(sys.argv[2]), mlflow=int(sys.argv[3]), dashboard=int(sys.argv[4]))))
"""


def start(root: Path, ports: list[int]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", UP, str(root), *map(str, ports)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "MLFLOW"))},
    )


def wait_until_up(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if line.startswith("All is up"):
            return said
    raise AssertionError("\n".join(said))


def wait_until_gone(mark: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := marked(MARK_VARIABLE, mark):
        assert time.monotonic() < deadline, [each.cmdline() for each in left]
        time.sleep(0.2)


@pytest.mark.timeout(300)
def test_the_whole_stack_starts_answers_on_loopback_and_leaves_nothing(tmp_path: Path):
    ports = free_ports(3)
    process = start(tmp_path, ports)
    try:
        said = wait_until_up(process)
        stack = recorded_stack(tmp_path)
        assert stack is not None
        assert stack.ready
        for address in (f"{stack.prefect_api}/health", stack.prefect_page, stack.mlflow, stack.dashboard):
            assert answers(address)
            assert any(address.split("/api")[0] in line for line in said)
        family = marked(MARK_VARIABLE, stack.mark)
        listeners = {
            (connection.laddr[0], connection.laddr[1])
            for each in family
            for connection in each.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert {port for _, port in listeners} >= set(ports)
        assert {host for host, _ in listeners} == {"127.0.0.1"}

        second = start(tmp_path, ports)
        output, _ = second.communicate(timeout=30)
        assert second.returncode == 0
        assert "up already" in output
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    wait_until_gone(stack.mark, 5)
    assert recorded_stack(tmp_path) is None


@pytest.mark.timeout(300)
def test_a_stack_whose_owner_is_killed_ends_too(tmp_path: Path):
    process = start(tmp_path, free_ports(3))
    deadline = time.monotonic() + 30
    while (stack := recorded_stack(tmp_path)) is None or len(marked(MARK_VARIABLE, stack.mark)) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.kill()
    process.wait()
    wait_until_gone(stack.mark, 40)
