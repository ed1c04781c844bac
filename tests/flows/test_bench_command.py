"""`glam bench`: what it prints and refuses. Nothing here is measured."""

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

from flows import cli
from flows.commands import bench
from glam.bench import machine, rows
from glam.bench.measure import Contestant, Measurement
from glam.bench.model import races as model
from glam.store import Store

KEYS = {"name", "unit", "ours", "other", "ratio", "goal"}


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contestant takes one second and one MiB, and transformers is there."""

    def race(contestants: Mapping[str, Contestant], *, rounds: int) -> dict[str, Measurement]:
        return {name: Measurement((1.0,) * rounds, 1 << 20, 1 << 20) for name in contestants}

    monkeypatch.setattr(rows, "race", race)
    monkeypatch.setattr(rows, "find_spec", lambda package: package)
    monkeypatch.setattr(machine, "_torch_threads", lambda: 2)


@pytest.mark.usefixtures("unmeasured")
def test_json_is_one_document_with_all_rows_and_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["bench", "model", "--json", "--rounds", "1"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert set(result) == {"environment", "rows"}
    assert {"cores", "processor", "allocator", "torch_threads", "versions"} <= set(result["environment"])
    assert {"python", "torch", "transformers", "glam"} == set(result["environment"]["versions"])
    assert all(set(row) == KEYS for row in result["rows"])
    names = [row["name"] for row in result["rows"]]
    assert len(set(names)) == len(names)
    assert "moe_layer_vs_dense/4096x256x1024x16" in names
    assert "training_step/ladder_16m/dense/same_allocator" in names
    assert "measuring" in printed.err


@pytest.mark.usefixtures("unmeasured")
def test_only_chooses_rows_by_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["bench", "model", "--only", "published_attention/*", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["rows"]]
    assert names == ["published_attention/256", "published_attention/1024", "published_attention/memory_growth"]


@pytest.mark.usefixtures("unmeasured")
def test_a_row_short_of_its_goal_is_marked_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(["bench", "model", "--only", "moe_layer_vs_transformers/4096x256*"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "moe_layer" in line]
    assert line.split()[-3:] == ["1.00", "1.20", "short"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "nonsense"], "unknown bench 'nonsense'; known: model, data"),
        (["bench", "model", "--only", "nonsense"], "no row fits 'nonsense'; known: moe_layer_vs_dense/"),
        (["bench", "model", "--rounds", "0"], "--rounds"),
    ],
)
def test_wrong_use_says_what_there_is(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._run(arguments) == cli.WRONG_USE
    assert message in capsys.readouterr().err


def test_without_transformers_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rows, "find_spec", lambda _: None)
    assert cli._run(["bench", "model", "--only", "generation/*"]) == cli.FAILED
    assert "pip install 'glam[bench]'" in capsys.readouterr().err


def test_every_bench_has_races() -> None:
    assert set(bench.BENCHES) == {"dashboard", "data", "energy", "evaluate", "model", "train"}
    assert all(contestant for race in model.races() for contestant in race.contestants.values())


def test_copies_of_weights_that_would_not_fit_are_left_out() -> None:
    large = model.layer_against_peer(4096, 768, 3072, 8, goal=1.0).contestants["peer"]
    small = model.layer_against_peer(256, 32, 64, 4, goal=1.0).contestants["peer"]
    assert not isinstance(large, Contestant)
    assert not isinstance(small, Contestant)
    assert [each.label for each in large] == ["eager", "grouped_mm"]
    assert [each.label for each in small] == ["eager", "grouped_mm", "batched_mm"]


def test_the_command_line_starts_without_torch_and_without_the_bench() -> None:
    ask = "import sys, flows.cli; print(sorted({'torch', 'transformers', 'glam.bench'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_training_is_measured_on_what_was_prepared(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLAM_STORE", str(store.root))
    assert cli._run(["bench", "train"]) == cli.FAILED
    assert "glam prepare quickstart" in capsys.readouterr().err
