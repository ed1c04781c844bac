"""From raw text to a verdict: what the one command leaves, and what it does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from glam.analysis.verdict import Verdict
from glam.lineage import study_stages
from glam.recipes import smoke
from glam.records import StepMetrics
from glam.store import Store
from tests.road.conftest import GLAM, Finished, can_jail, in_dead_end, with_prefects_database

pytestmark = pytest.mark.ray


def test_every_step_is_complete_and_as_its_manifest_says(finished: Finished) -> None:
    for stage in study_stages(smoke()):
        folder = stage.find(finished.store)
        assert folder is not None, stage.reference
        folder.verify()
        assert folder.manifest().reads == tuple(str(read) for read in stage.reads)


def test_the_last_line_is_the_path_of_a_page_that_needs_nothing_else(finished: Finished) -> None:
    report = Path(finished.observed.stdout.splitlines()[-1])
    page = report.read_text("utf-8")
    assert page.startswith(("<!doctype html>", "<!DOCTYPE html>"))
    for reference in ("src=", "<link", "<script", "@import", "url(http"):
        assert reference not in page, reference


def test_verdict_speaks_of_these_runs_not_of_training(finished: Finished) -> None:
    folder = finished.store.open("verdicts", study_stages(smoke()).verdict.reference.fingerprint)
    verdict = Verdict.model_validate(folder.read_json("verdict.json"))
    assert verdict.sentence in " ".join(finished.observed.stdout.split())
    assert "not of training" in verdict.sentence
    contrast = verdict.contrasts[0]
    assert (contrast.first, contrast.second) == ("sparse", "dense")
    assert contrast.equal_tokens
    assert {(task.task, task.num_shots) for task in contrast.tasks} == {
        (task, shots) for task in ("last_word", "continuation", "name_function") for shots in (0, 1)
    }
    assert all(arm.energy_method != "none" and arm.energy_joules for arm in verdict.arms)


@pytest.mark.skipif(not can_jail(), reason="making a network namespace needs root and iproute2")
def test_everything_listens_on_loopback_only(finished: Finished) -> None:
    assert finished.observed.listeners, "the listeners were not seen at all"
    loopback = {"127.0.0.1", "::1", "::ffff:7f00:1", "::ffff:127.0.0.1"}
    assert [each for each in finished.observed.listeners if each[0] not in loopback] == []


@pytest.mark.skipif(not can_jail(), reason="making a network namespace needs root and iproute2")
def test_nothing_tries_to_reach_the_internet(finished: Finished, tmp_path: Path) -> None:
    attempt = "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('10.20.30.40', 443))"
    subprocess.run(
        in_dead_end([sys.executable, "-c", attempt]),
        env={"RECORD": str(tmp_path / "n"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        check=True,
    )
    assert int((tmp_path / "n").read_text()) > 0, "an attempt would not have been counted"
    assert finished.observed.packets_out == 0


def test_no_process_is_left_behind(finished: Finished) -> None:
    assert finished.observed.left_behind == []


def test_a_second_run_finds_everything_done_before_it_imports_any_engine(finished: Finished) -> None:
    program = (
        "import sys; from flows import cli; code = cli._run(['run', 'smoke', '--json'])\n"
        "engines = [name for name in ('prefect', 'ray', 'torch', 'mlflow') if name in sys.modules]\n"
        "print(engines, code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"GLAM_STORE": str(finished.store.root), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "[] 0\n"
    document = json.loads(done.stdout)
    assert document["study"] == "smoke"
    assert Path(document["report"]).exists()


def test_checkpoints_are_versions_that_complete_text_and_check_their_weights(finished: Finished) -> None:
    program = """
import sys, mlflow
from glam.store import Store
from workers.tracking import tracking_address
store = Store(sys.argv[1])
mlflow.set_tracking_uri(tracking_address(store.root)); mlflow.set_registry_uri(tracking_address(store.root))
for arm in ("sparse", "dense", "best"):
    print(len(mlflow.pyfunc.load_model(f"models:/glam-smoke@{arm}").predict(["Return the"])))
folder = next(store.folders("runs"))
with open(folder.path / "model.safetensors", "r+b") as file:
    file.seek(-1, 2); last = file.read(1); file.seek(-1, 2); file.write(bytes([last[0] ^ 1]))
try:
    for arm in ("sparse", "dense"):
        mlflow.pyfunc.load_model(f"models:/glam-smoke@{arm}").predict(["Return the"])
except Exception as error:
    print(error)
finally:
    with open(folder.path / "model.safetensors", "r+b") as file:
        file.seek(-1, 2); file.write(last)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(finished.store.root)], capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    assert lines[:3] == ["1", "1", "1"], done.stderr
    assert "other content than its manifest says" in done.stdout


def test_two_workers_train_what_one_does(finished: Finished, tmp_path: Path) -> None:
    """The same study at another layout: same tokens, losses apart by rounding only."""
    with_prefects_database(tmp_path, finished)
    for kind in ("corpora", "classifiers", "tokenizers", "heldout", "shards"):
        (tmp_path / kind).symlink_to(finished.store.root / kind)
    arguments = ["train", "smoke", "--workers", "2", "--threads", "1", "--store", str(tmp_path)]
    subprocess.run([*GLAM, *arguments], capture_output=True, check=True)
    for run in study_stages(smoke()).runs:
        one, two = (each.open("runs", run.stage.reference.fingerprint) for each in (finished.store, Store(tmp_path)))
        assert (one.manifest().numerics["num_workers"], two.manifest().numerics["num_workers"]) == (1, 2)
        alone, shared = one.read("steps.jsonl", StepMetrics), two.read("steps.jsonl", StepMetrics)
        assert [step.tokens for step in alone] == [step.tokens for step in shared]
        assert [step.loss for step in alone] == pytest.approx([step.loss for step in shared], rel=1e-3)
