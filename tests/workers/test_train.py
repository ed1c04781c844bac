"""What ends training for good is said once, not tried again."""

from collections.abc import Iterator

import pytest
import ray

from glam.config import DataConfig, Experiment, RunOptions, TrainConfig, replace
from glam.lineage import run_stage
from glam.records import Detour
from glam.store import Store
from glam.training.stability import TrainingDiverged
from glam.variants import VARIANTS
from tests.data.conftest import prepare_here
from workers import train as training
from workers.train import train

pytestmark = pytest.mark.ray


def ignored(*_: object) -> None:
    """What a run tells on its way."""


@pytest.fixture
def one_cpu() -> Iterator[None]:
    if ray.is_initialized():
        ray.shutdown()
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    yield
    ray.shutdown()


@pytest.mark.usefixtures("one_cpu")
def test_a_run_that_diverges_is_not_started_again(store: Store, tiny_data: DataConfig) -> None:
    experiment = Experiment(
        data=tiny_data,
        model=replace(VARIANTS["toy_4e"], vocab_size=300, sequence_length=32),
        # At this rate nothing is learned, so every other loss lies above the median of those before it.
        train=TrainConfig(
            num_steps=60, global_batch_size=2, heldout_sequences=2, learning_rate=1e-9, spike_nats=1e-6, max_rollbacks=0
        ),
    )
    run = run_stage("sparse", 0, experiment, prepare_here(tiny_data, store))
    with pytest.raises(TrainingDiverged, match=r"^sparse-s0: training went wrong at step \d+: .*lengthen train\.warm"):
        train(run, store, RunOptions(threads_per_worker=1), ignored, ignored)
    folder = store.find("runs", run.stage.reference.fingerprint)
    assert folder is not None
    assert not (folder.path / training.DIVERGED).exists()
    assert list((folder.path / "checkpoints").iterdir()), "what was saved is kept"


@pytest.mark.usefixtures("one_cpu")
def test_a_damaged_checkpoint_is_told_and_a_roll_back_stands_in_the_manifest(
    store: Store, tiny_data: DataConfig
) -> None:
    experiment = Experiment(
        data=tiny_data,
        model=replace(VARIANTS["toy_4e"], vocab_size=300, sequence_length=32),
        train=TrainConfig(num_steps=20, global_batch_size=2, heldout_sequences=2),
    )
    run = run_stage("sparse", 0, experiment, prepare_here(tiny_data, store))
    detour = Detour(step=0, left_at=7, reason="a test", elapsed_seconds=1.0)
    with store.claim(**run.stage.reference.model_dump()) as open_folder:
        unfinished = open_folder.path / "checkpoints" / "00000010"
        unfinished.mkdir(parents=True)
        open_folder.append("detours.jsonl", [detour])
    told: list[str] = []
    folder = train(run, store, RunOptions(threads_per_worker=1), ignored, told.append)
    assert told == [f"{unfinished} was never finished; looking for an older checkpoint"]
    assert folder.manifest().detours == (detour,)
