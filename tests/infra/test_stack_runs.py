"""The stack for real: every address answers, on loopback only, runs share its Ray, and nothing is left."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from infra.health import answers
from infra.lifeline import marked
from infra.programs import PROGRAMS
from infra.stack_file import STACK_MARK, recorded_stack
from tests.infra.conftest import glam, options, raylets, stack_environment, stack_ports, up
from tests.road.conftest import GLAM

pytestmark = pytest.mark.browser

LOOPBACKS = {"127.0.0.1", "::ffff:127.0.0.1"}
JOINED = """
import os, sys
from glam import environment
environment.apply()
import ray
from workers.cluster import cluster
with cluster(cpus_needed=1):
    where = ray.remote(lambda: os.environ["GLAM_STACK"])
    print(ray.get(where.remote()), flush=True)
    sys.stdin.readline()
"""


def wait_until_gone(mark: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while left := marked(STACK_MARK, mark):
        assert time.monotonic() < deadline, [each.cmdline() for each in left]
        time.sleep(0.2)


def listeners(processes: Sequence[psutil.Process]) -> set[tuple[str, int]]:
    found = set()
    for each in processes:
        try:
            connections = each.net_connections("inet")
        except psutil.NoSuchProcess:
            continue
        found |= {(one.laddr[0], one.laddr[1]) for one in connections if one.status == psutil.CONN_LISTEN}
    return found


def healths(root: Path) -> dict[str, str]:
    return {row["name"]: row["health"] for row in json.loads(glam(root, "status", "--json").stdout)}


@pytest.mark.timeout(300)
def test_the_whole_stack_starts_answers_on_loopback_and_leaves_nothing(tmp_path: Path):
    stack = up(tmp_path)
    try:
        pages = (f"{stack.prefect_api}/health", stack.prefect_page, stack.mlflow, stack.dashboard)
        for address in (*pages, f"{stack.serve}/models"):
            assert answers(address)
        shown = glam(tmp_path, "status")
        assert shown.returncode == 0, shown.stdout
        assert healths(tmp_path) == dict.fromkeys(PROGRAMS, "healthy")

        joined = {**stack_environment(), "GLAM_STORE": str(tmp_path)}
        driver = subprocess.Popen(
            [sys.executable, "-c", JOINED], env=joined, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert driver.stdout is not None
        assert driver.stdout.readline().strip() == stack.mark, "the work was done by the stack's Ray"
        seen = listeners([*marked(STACK_MARK, stack.mark), psutil.Process(driver.pid)])
        assert {port for _, port in seen} >= {port for name, port in stack.ports.model_dump().items()}
        assert {host for host, _ in seen} <= LOOPBACKS
        driver.communicate("\n", timeout=60)
        assert driver.returncode == 0

        (raylet,) = raylets(stack)
        raylet.kill()
        deadline = time.monotonic() + 60
        while raylet in (found := raylets(stack)) or not found or healths(tmp_path)["ray"] != "healthy":
            assert time.monotonic() < deadline
        again = subprocess.run(
            [sys.executable, "-c", JOINED], env=joined, input="\n", stdout=subprocess.PIPE, text=True, timeout=60
        )
        assert again.stdout.strip() == stack.mark

        second = glam(tmp_path, "up", *options(stack.ports))
        assert second.returncode == 0
        assert "up already" in second.stdout
    finally:
        ended = glam(tmp_path, "down")
    assert ended.returncode == 0, ended.stderr
    assert "is down" in ended.stdout
    assert marked(STACK_MARK, stack.mark) == []
    assert recorded_stack(tmp_path) is None
    assert glam(tmp_path, "status").returncode == 1


@pytest.mark.timeout(300)
def test_an_attached_stack_ends_with_ctrl_c_and_with_down(tmp_path: Path):
    for how in ("ctrl-c", "down"):
        process = subprocess.Popen(
            [*GLAM, "up", "--store", str(tmp_path), *options(stack_ports())],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=stack_environment(),
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("All is up"):
                break
        stack = recorded_stack(tmp_path)
        assert stack is not None, said
        if how == "ctrl-c":
            process.send_signal(signal.SIGINT)
        else:
            assert "is down" in glam(tmp_path, "down").stdout
        assert process.wait(timeout=60) == 0
        wait_until_gone(stack.mark, 5)
        assert recorded_stack(tmp_path) is None


@pytest.mark.timeout(300)
def test_a_stack_whose_owner_is_killed_ends_too(tmp_path: Path):
    process = subprocess.Popen(
        [*GLAM, "up", "--store", str(tmp_path), *options(stack_ports())],
        stdout=subprocess.DEVNULL,
        env=stack_environment(),
    )
    deadline = time.monotonic() + 60
    while (stack := recorded_stack(tmp_path)) is None or len(marked(STACK_MARK, stack.mark)) < 8:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.kill()
    process.wait()
    wait_until_gone(stack.mark, 60)
