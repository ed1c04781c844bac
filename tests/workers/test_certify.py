"""What a certificate covers, and what it refuses."""

import pytest

from glam.config import DataConfig, Experiment, RunOptions, TrainConfig, replace
from glam.energy.meter import NoMeter
from glam.lineage import RunStage, run_stage
from glam.store import Folder, Store, StoreError
from glam.training.loop import train
from glam.training.parallel import ParallelGroup
from glam.variants import VARIANTS
from tests.data.conftest import prepare_here
from workers.certify import certify
from workers.numerics import numerics
from workers.run import open_run

pytestmark = pytest.mark.usefixtures("one_thread")
LAYOUT = {"num_workers": 1, "threads_per_worker": 1, "layout": "replicated", "expert_parallel": 1}


@pytest.fixture
def continued(tiny_data: DataConfig, store: Store) -> RunStage:
    """12 steps on top of 24."""
    train_config = TrainConfig(num_steps=36, continues=24, global_batch_size=2, heldout_sequences=2)
    model = replace(VARIANTS["toy_4e"], vocab_size=300, sequence_length=32)
    experiment = Experiment(data=tiny_data, model=model, train=train_config)
    return run_stage("sparse", 0, experiment, prepare_here(tiny_data, store))


def finished(run: RunStage, store: Store, **other: object) -> Folder:
    reads = {read.kind: read.fingerprint for read in run.stage.reads}
    experiment = run.experiment
    with store.claim(**run.stage.reference.model_dump()) as folder:
        opened = open_run(store, experiment.model, experiment.train, reads, folder, RunOptions(log_every=1))
        for _ in train(opened, ParallelGroup(), NoMeter()):
            pass
        run.stage.commit(folder, numerics=numerics(**{**LAYOUT, "micro_batch_size": None, **other}))
    return folder


def test_a_continued_run_is_interrupted_after_its_beginning_and_goes_on_from_its_own_checkpoints(
    continued: RunStage, store: Store
) -> None:
    assert continued.origin is not None
    finished(continued.origin, store)
    certificate = certify(finished(continued, store, origin={"num_workers": 2}), store, log=lambda _: None)
    assert certificate.same
    assert certificate.same_numerics
    early, late = certificate.killed_at
    assert 24 <= certificate.resumed_from[0] <= early < certificate.resumed_from[1] <= late < 36


def test_a_run_of_several_numbers_of_workers_is_refused(continued: RunStage, store: Store) -> None:
    assert continued.origin is not None
    run = finished(continued.origin, store, num_workers=[2, 1])
    with pytest.raises(StoreError, match="was trained by 2 and then 1 workers; only a run of one layout"):
        certify(run, store, log=lambda _: None)
