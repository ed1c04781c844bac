"""The command line: exit codes, JSON, errors that say what exists. Nothing here trains."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

GLAM = [sys.executable, "-c", "from flows.cli import main; main()"]


def glam(*arguments: str, store: Path | None = None) -> subprocess.CompletedProcess[str]:
    where = ["--store", str(store)] if store else []
    return subprocess.run([*GLAM, *arguments, *where], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "nonsense"],
            "unknown recipe 'nonsense'; known: data_quality, glam_mixture, ladder, ",
        ),
        (["run", "smoke", "--set", "train.num_step=3"], "no field 'num_step'; known: num_steps"),
        (["run", "smoke", "--set", "train.num_steps=0"], "greater than or equal to 1 (given: 0)"),
        (["run", "smoke", "--set", "data.source.name=web"], "unknown source 'web'"),
        (["run", "smoke", "--set", "eval.tasks=[heldout, nonsense]"], "nonsense"),
        (["run", "smoke", "--nonsense"], "No such option"),
        (["nonsense"], "No such command"),
    ],
)
def test_wrong_use_is_exit_code_2_and_one_line_that_helps(arguments: list[str], message: str) -> None:
    done = glam(*arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_more_processors_than_there_are_is_an_error_within_seconds(tmp_path: Path) -> None:
    done = glam("run", "smoke", "--workers", "999", store=tmp_path)
    assert done.returncode == 1
    assert "CPUs asked for, this machine has" in done.stderr


def test_dry_run_lists_every_step_as_json_and_makes_nothing(tmp_path: Path) -> None:
    done = glam("run", "smoke", "--dry-run", "--json", store=tmp_path / "store")
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)
    assert [step["done"] for step in steps] == [False] * len(steps)
    assert steps[-1]["step"].startswith("verdicts/smoke-")
    assert not (tmp_path / "store").exists()


def test_recipes_are_listed_for_people_and_machines() -> None:
    assert "quickstart" in glam("recipes").stdout
    assert set(json.loads(glam("recipes", "--json").stdout)) == {
        "data_quality",
        "glam_mixture",
        "ladder",
        "ladder_1m",
        "ladder_4m",
        "ladder_16m",
        "learning_rates",
        "local_mixture",
        "quickstart",
        "smoke",
    }


def test_store_commands_on_an_empty_store(tmp_path: Path) -> None:
    assert json.loads(glam("store", "ls", "--json", store=tmp_path).stdout) == []
    assert json.loads(glam("store", "gc", "--json", store=tmp_path).stdout) == {"folders": [], "freed_bytes": None}
    assert "nothing may go" in glam("store", "gc", store=tmp_path).stdout
    missing = glam("store", "pin", "0" * 16, store=tmp_path)
    assert missing.returncode == 1
    assert "names none" in missing.stderr
