"""kill -9 at any point, then the same command again: it finishes, and the weights have the same bits."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from glam.lineage import study_stages
from glam.recipes import smoke
from glam.store import Folder, Store
from tests.road.conftest import GLAM, Finished, Job, with_prefects_database
from workers.prepare import ENERGY, ENERGY_PARTS

SECONDS_TO_END = 10

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]


def start(store: Store, *settings: str) -> Job:
    return Job([*GLAM, "run", "smoke", "--store", str(store.root), *settings])


def kill_driver_when(condition: Callable[[], bool], store: Store) -> None:
    """Starts the job, kills its driver at that point, and checks that everything else ends by itself."""
    job = start(store)
    wait_for(condition, job)
    os.kill(job.process.pid, signal.SIGKILL)
    job.process.wait()
    assert job.wait_until_gone(SECONDS_TO_END) == []


def wait_for(condition: Callable[[], bool], job: Job) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert job.process.poll() is None, (
            f"the job ended before it could be killed: {job.process.communicate()[1][-3000:]}"
        )
        assert time.monotonic() < deadline, "the point was never reached"
        time.sleep(0.02)


def hashes(folder: Folder) -> list[str]:
    """Of all files but those about energy, which no two preparations have alike."""
    return [entry.sha256 for entry in folder.manifest().files if entry.name not in (ENERGY, ENERGY_PARTS)]


def one_of(job: Job, what: str) -> psutil.Process:
    found = [process for process in job.processes() if what in " ".join(process.cmdline())]
    assert found, [process.cmdline() for process in job.processes()]
    return found[0]


def test_killed_in_every_stage_it_ends_in_the_same_bits(finished: Finished, tmp_path: Path) -> None:
    store = with_prefects_database(tmp_path / "store", finished)
    stages = study_stages(smoke())
    sparse, dense = (run.stage for run in stages.runs)

    def files(pattern: str) -> list[Path]:
        return list(store.root.glob(pattern))

    kill_driver_when(lambda: bool(files("corpora/*-extracted-*/documents-*.jsonl")), store)
    assert stages.data[0].selected.find(store) is None
    kill_driver_when(lambda: bool(files(f"runs/{sparse.reference.label}-*/checkpoints/*/checkpoint.json")), store)
    assert sparse.find(store) is None
    made = {path: path.stat().st_mtime_ns for path in files("*/*/manifest.json")}
    assert len(made) == len(list(stages.data[0]))

    job = start(store)
    wait_for(lambda: sparse.find(store) is not None and bool(files(f"runs/{dense.reference.label}-*")), job)
    one_of(job, "raylet").kill()
    _, errors = job.process.communicate(timeout=60)
    assert job.process.returncode == 1, errors[-3000:]
    # Another thread may log a line between these words and the end.
    assert any(line.startswith("glam: Ray broke down: ") for line in errors.splitlines()[-3:]), errors[-3000:]
    assert job.wait_until_gone(SECONDS_TO_END) == []
    assert dense.find(store) is None

    job = start(store)
    wait_for(lambda: bool(files(f"runs/{dense.reference.label}-*/checkpoints/*/checkpoint.json")), job)
    one_of(job, "RayTrainWorker").kill()
    one_of(job, "flows.server").kill()
    _, errors = job.process.communicate(timeout=240)
    assert job.process.returncode == 0, errors[-3000:]
    assert "Prefect's server ended with code -9 and was started again" in errors

    assert {path: path.stat().st_mtime_ns for path in made} == made, "a finished folder was made again"
    for stage in (sparse, dense):
        weights = [
            each.open("runs", stage.reference.fingerprint).path / "model.safetensors"
            for each in (finished.store, store)
        ]
        assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, ("saving a checkpoint", "the same command goes on where this one stopped")),
        (signal.SIGTERM, -signal.SIGTERM, ("aborted by a termination signal",)),
    ],
)
def test_a_signal_to_end_saves_and_leaves_nothing_running(
    finished: Finished, tmp_path: Path, number: signal.Signals, code: int, words: tuple[str, ...]
) -> None:
    store = with_prefects_database(tmp_path / "store", finished)
    job = start(store, "--set", "train.num_steps=4000")
    wait_for(lambda: any(store.root.glob("runs/*/steps.jsonl")), job)
    os.kill(job.process.pid, number)
    _, errors = job.process.communicate(timeout=60)
    assert job.process.returncode == code, errors[-3000:]
    for each in words:
        assert each in errors
    assert any(store.root.glob("runs/*/checkpoints/*/checkpoint.json"))
    assert not any(store.root.glob("runs/*/stop"))
    assert job.wait_until_gone(SECONDS_TO_END) == []


def test_a_corpus_in_which_nothing_survives_is_a_clear_error(finished: Finished, tmp_path: Path) -> None:
    store = with_prefects_database(tmp_path / "store", finished)
    (tmp_path / "notes.txt").write_text("too short", "utf-8")
    settings = ["--set", "data.source.name=local_files", "--set", f"data.source.paths=[{tmp_path}/*.txt]"]
    done = subprocess.run(
        [*GLAM, "prepare", "smoke", *settings, "--store", str(store.root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr[-3000:]
    assert "too_short" in done.stderr.splitlines()[-1]
    assert not list(store.root.glob("*/*/manifest.json"))


def test_a_full_disk_is_a_clear_error_and_with_room_again_it_goes_on(finished: Finished, tmp_path: Path) -> None:
    """A store on a small tmpfs; what is on it already leaves no room for the training side."""
    place = tmp_path / "small"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=False).returncode
    ):
        pytest.skip("no permission to mount here")
    try:
        store, ballast = Store(place / "store"), place / "ballast"
        ballast.write_bytes(bytes(16 * 1_000_000))
        command = [*GLAM, "prepare", "smoke", "--store", str(store.root)]
        full = subprocess.run(command, capture_output=True, text=True, check=False)
        assert full.returncode == 1, full.stderr[-3000:]
        assert "the disk is full: make room" in full.stderr.splitlines()[-1]
        unmade = [stage for stage in study_stages(smoke()).until("prepare") if stage.find(store) is None]
        assert unmade, "the disk was not full enough to show anything"
        ballast.unlink()
        subprocess.run(command, capture_output=True, check=True)
        for stage in study_stages(smoke()).until("prepare"):
            theirs, ours = stage.find(finished.store), stage.find(store)
            assert theirs is not None
            assert ours is not None
            assert hashes(theirs) == hashes(ours)
    finally:
        subprocess.run(["umount", place], check=True)
