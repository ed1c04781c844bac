"""A run whose processes somebody else starts: the same folder as any other way, and the same text."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from glam.config import DataConfig
from glam.recipes import recipe
from glam.records import RunPlan, RunSummary, StepMetrics
from glam.store import Folder, Store
from glam.study import override
from glam.training.loop import STEPS
from tests.data.conftest import prepare_here
from workers.begin import PLAN
from workers.launched import find_run, main

LABEL = "sparse-s0"


@pytest.fixture
def settings(tiny_data: DataConfig) -> list[str]:
    """That make `smoke` a study of `tiny_data`, with rows as long."""
    data = tiny_data.model_dump(mode="json")
    changed = {"source": data["source"], "split": data["split"], "tokenizer": data["tokenizer"]}
    lines = [
        f"data.{room}.{name}={json.dumps(value)}" for room, fields in changed.items() for name, value in fields.items()
    ]
    sizes = ["model.vocab_size=300", "model.sequence_length=32", "data.sequence_length=32"]
    return [*lines, *sizes, "train.num_steps=8", "train.heldout_sequences=2", "train.global_batch_size=3"]


@pytest.fixture
def prepared(settings: list[str], store: Store) -> Store:
    (config,) = {arm.data for arm in override(recipe("smoke"), settings).arms.values()}
    prepare_here(config, store)
    return store


def arguments(settings: list[str], store: Store, *run_settings: str) -> list[str]:
    options = [each for setting in settings for each in ("--set", setting)]
    options += [each for setting in ("log_every=1", *run_settings) for each in ("--run-set", setting)]
    return ["smoke", LABEL, *options, "--threads", "1", "--store", str(store.root)]


def start(arguments: list[str], num_workers: int) -> subprocess.Popen[str]:
    """As torchrun starts them."""
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(num_workers), "--standalone", "--no-python"]
    worker = [sys.executable, "-m", "workers.launched", *arguments]
    return subprocess.Popen([sys.executable, *launcher, *worker], stderr=subprocess.PIPE, text=True)


def the_run(settings: list[str], store: Store) -> Folder:
    return store.open("runs", find_run("smoke", LABEL, settings).stage.reference.fingerprint)


def test_two_workers_complete_the_run_that_one_does(settings: list[str], prepared: Store, tmp_path: Path) -> None:
    alone = Store(shutil.copytree(prepared.root, tmp_path / "alone"))
    process = start(arguments(settings, prepared), 2)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    folder = the_run(settings, prepared)
    assert not (folder.path / PLAN).exists(), "the manifest says it"
    assert main(arguments(settings, prepared)) == 0, "it is there"
    assert the_run(settings, prepared).manifest() == folder.manifest()

    assert main(arguments(settings, alone)) == 0
    other = the_run(settings, alone)
    ours, theirs = (each.read(STEPS, StepMetrics) for each in (folder, other))
    assert [step.loss for step in ours] == pytest.approx([step.loss for step in theirs], rel=1e-4)
    assert [step.tokens for step in ours] == [step.tokens for step in theirs]
    two, one = (RunSummary.model_validate_json((each.path / "summary.json").read_bytes()) for each in (folder, other))
    assert two.stream_hash == one.stream_hash, "the same text"
    assert (two.num_workers, one.num_workers) == (2, 1)


def test_a_signal_saves_the_step_and_the_same_command_goes_on(settings: list[str], prepared: Store) -> None:
    long = [*settings, "train.num_steps=4000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.launched", *arguments(long, prepared, "save_every=100000")],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "step 5:" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    folder = prepared.find("runs", find_run("smoke", LABEL, long).stage.reference.fingerprint)
    assert folder is not None
    assert not folder.complete
    saved = int(max(each.name for each in (folder.path / "checkpoints").iterdir()))
    assert saved >= 5
    plan = RunPlan.model_validate_json((folder.path / PLAN).read_bytes())
    assert plan.config == json.loads(json.dumps(find_run("smoke", LABEL, long).stage.config))
    assert plan.flops_per_token > 0
    assert main(arguments(long, prepared, "max_minutes=0.0001")) == 1, "a budget ends it again, further on"
    assert int(max(each.name for each in (folder.path / "checkpoints").iterdir())) > saved


def test_wrong_use_says_what_to_do(settings: list[str], store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(settings, store)) == 2
    assert "sparse-s0 needs it: glam prepare smoke" in capsys.readouterr().err
    assert main(["smoke", "spares-s0", "--store", str(store.root)]) == 2
    assert "'smoke' has no run 'spares-s0'; its runs: sparse-s0, dense-s0" in capsys.readouterr().err
