"""Runs through the stack without a page: by a schedule, two at once, and those whose processes are killed."""

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient

from infra.lifeline import marked
from infra.stack_file import STACK_MARK, Stack
from tests.infra.conftest import glam, up

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

LONG = "train.num_steps=100000"
PATIENCE_SECONDS = 180.0
SAVED_WITHIN_SECONDS = 45.0
BUSY, TRIES = 503, 10
"""What Prefect says where its database is locked, and how often it is asked again."""
COMPLETED, CRASHED = "COMPLETED", "CRASHED"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flows") / "store"


@pytest.fixture(scope="module")
def stack(root: Path) -> Iterator[Stack]:
    yield up(root)
    assert glam(root, "down").returncode == 0


def ask(stack: Stack, path: str, body: object | None = None) -> Any:
    """What Prefect's API answers to a GET, or a POST where there is a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{stack.prefect_api}/{path}", data=data, headers={"Content-Type": "application/json"}
    )
    for left in reversed(range(TRIES)):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            if refusal.code != BUSY or not left:
                raise
            time.sleep(1)
    raise AssertionError("the last try answers or raises")


def experiment(stack: Stack) -> str:
    return ask(stack, "deployments/name/experiment/experiment")["id"]


def start(stack: Stack, *settings: str) -> str:
    """The id of a run of `smoke`."""
    parameters = {"recipe": "smoke", "settings": list(settings)}
    return ask(stack, f"deployments/{experiment(stack)}/create_flow_run", {"parameters": parameters})["id"]


def state(stack: Stack, run: str) -> str:
    return ask(stack, f"flow_runs/{run}")["state_type"]


def logged(stack: Stack, run: str) -> str:
    found = ask(stack, "logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200})
    return "\n".join(line["message"] for line in found)


def wait_until(happened: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def wait_until_training(stack: Stack, run: str) -> None:
    wait_until(lambda: re.search(r"sparse seed \d: step", logged(stack, run)))


def process_of(run: str) -> psutil.Process:
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run:
                return process
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    raise AssertionError(f"no process of {run}")


def deployments(stack: Stack) -> psutil.Process:
    (found,) = [each for each in marked(STACK_MARK, stack.mark) if "flows.deployments" in each.cmdline()]
    return found


def experiments_in_mlflow(stack: Stack) -> dict[str, str]:
    """Status of every parent run, by its name."""
    client = MlflowClient(tracking_uri=stack.mlflow)
    ids = [each.experiment_id for each in client.search_experiments() if each.name == "smoke"]
    runs = client.search_runs(ids) if ids else []
    return {run.info.run_name: run.info.status for run in runs if re.fullmatch(r"smoke-[0-9a-f]{8}", run.info.run_name)}


def test_a_schedule_and_a_person_start_the_same_recipe_at_once_and_one_waits(stack: Stack) -> None:
    deployment, settings = experiment(stack), ["train.num_steps=60"]
    soon = (datetime.now(UTC) + timedelta(seconds=8)).isoformat()
    parameters = {"recipe": "smoke", "settings": settings}
    schedule = {"schedule": {"interval": 86_400, "anchor_date": soon}, "active": True, "parameters": parameters}
    (made,) = ask(stack, f"deployments/{deployment}/schedules", [schedule])
    scheduled: list[str] = []

    def taken_up() -> bool:
        asked = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
        scheduled[:] = [run["id"] for run in ask(stack, "flow_runs/filter", asked) if run["auto_scheduled"]]
        return bool(scheduled)

    wait_until(taken_up)
    by_hand = start(stack, *settings)
    both = (*scheduled, by_hand)
    wait_until(lambda: all(state(stack, run) not in ("SCHEDULED", "PENDING", "RUNNING") for run in both))
    assert [state(stack, run) for run in both] == [COMPLETED, COMPLETED]
    assert "another process is making it" in logged(stack, by_hand)
    names = {ask(stack, f"flow_runs/{run}")["name"] for run in both}
    assert len(names) == 1, "one study"
    assert experiments_in_mlflow(stack) == {names.pop(): "FINISHED"}
    request = urllib.request.Request(
        f"{stack.prefect_api}/deployments/{deployment}/schedules/{made['id']}", method="DELETE"
    )
    urllib.request.urlopen(request, timeout=30).close()


def test_one_that_is_cancelled_while_it_waits_leaves_the_others_run_in_mlflow_alone(stack: Stack) -> None:
    first = start(stack, LONG)
    wait_until_training(stack, first)
    second = start(stack, LONG)
    wait_until(lambda: "another process is making it" in logged(stack, second))
    ask(stack, f"flow_runs/{second}/set_state", {"state": {"type": "CANCELLING"}, "force": True})
    wait_until(lambda: state(stack, second) == "CANCELLED")
    name = ask(stack, f"flow_runs/{first}")["name"]
    assert state(stack, first) == "RUNNING"
    assert experiments_in_mlflow(stack)[name] == "RUNNING"
    ask(stack, f"flow_runs/{first}/set_state", {"state": {"type": "CANCELLING"}, "force": True})
    wait_until(lambda: state(stack, first) == "CANCELLED")
    wait_until(lambda: experiments_in_mlflow(stack)[name] == "KILLED")


def test_a_run_saves_and_ends_with_the_process_that_could_cancel_it(stack: Stack, root: Path) -> None:
    before = set(root.glob("runs/*/checkpoints/*/checkpoint.json"))
    run = start(stack, LONG, "seeds=[1]")
    wait_until_training(stack, run)
    process, server = process_of(run), deployments(stack)
    server.kill()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, SAVED_WITHIN_SECONDS)
    wait_until(lambda: state(stack, run) == CRASHED)
    assert set(root.glob("runs/*/checkpoints/*/checkpoint.json")) - before
    wait_until(lambda: json.loads(glam(root, "status", "--json").stdout)[-1]["health"] == "healthy")
    assert deployments(stack).pid != server.pid


def test_what_ran_when_the_machine_died_is_said_to_have_crashed(root: Path, stack: Stack) -> None:
    run = start(stack, LONG, "seeds=[2]")
    wait_until_training(stack, run)
    for process in marked(STACK_MARK, stack.mark):
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not marked(STACK_MARK, stack.mark))
    again = up(root)
    assert state(again, run) == CRASHED
    assert "start the same run again" in ask(again, f"flow_runs/{run}")["state"]["message"]
    wait_until_training(again, start(again, LONG, "seeds=[2]"))
