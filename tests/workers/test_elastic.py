"""A lost node leaves fewer workers, and the same batches."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest
import ray
from ray.cluster_utils import Cluster

from glam.config import DataConfig, Experiment, RunOptions, TrainConfig, replace
from glam.energy.meter import NoMeter
from glam.lineage import run_stage
from glam.records import HeldoutPoint, RunSummary, StepMetrics
from glam.store import Store
from glam.training.loop import STEPS
from glam.training.loop import train as train_loop
from glam.training.parallel import ParallelGroup
from glam.training.position import end_of
from glam.variants import VARIANTS
from tests.data.conftest import prepare_here
from workers.run import open_run
from workers.train import train

pytestmark = pytest.mark.ray
STEPS_BEFORE_THE_LOSS = 20


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    # Ray notices late that a node is gone, and first waits for as many workers as before: a minute by default.
    monkeypatch.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "25")
    if ray.is_initialized():
        ray.shutdown()
    node = {"num_cpus": 1, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def assert_our_own_ray_joins_no_other() -> None:
    """Without RAY_ADDRESS the one that runs on this machine is somebody else's."""
    program = "import ray\nfrom workers.cluster import cluster\nwith cluster(cpus_needed=1): print(len(ray.nodes()))"
    unaddressed = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=unaddressed, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "1\n"


def test_a_lost_node_leaves_fewer_workers_and_the_same_batches(
    two_nodes: Cluster, store: Store, tiny_data: DataConfig
) -> None:
    experiment = Experiment(
        data=tiny_data,
        model=replace(VARIANTS["toy_4e"], vocab_size=300, sequence_length=32),
        train=TrainConfig(num_steps=120, global_batch_size=3, heldout_sequences=2, precision="float64"),
    )
    run = run_stage("sparse", 0, experiment, prepare_here(tiny_data, store))
    nodes = two_nodes.worker_nodes.copy()

    def lose_a_node(steps: Sequence[StepMetrics], _: Sequence[HeldoutPoint]) -> None:
        if nodes and steps and steps[-1].step >= STEPS_BEFORE_THE_LOSS:
            two_nodes.remove_node(nodes.pop(), allow_graceful=False)

    options = RunOptions(num_workers=2, min_workers=1, threads_per_worker=1, log_every=1, save_every=5)
    folder = train(run, store, options, lose_a_node, lambda _: None)
    assert_our_own_ray_joins_no_other()
    summary = RunSummary.model_validate(folder.read_json("summary.json"))
    assert summary.worker_counts == (2, 1)
    assert folder.manifest().numerics["num_workers"] == [2, 1]

    reads = {read.kind: read.fingerprint for read in run.stage.reads}
    with store.claim("runs", "alone", "0" * 16) as other:
        alone = open_run(store, experiment.model, run.experiment.train, reads, other, RunOptions(log_every=1))
        for _ in train_loop(alone, ParallelGroup(), NoMeter()):
            pass
    assert end_of(other).stream_hash == summary.stream_hash
    losses = [each.loss for each in folder.read(STEPS, StepMetrics)]
    assert losses == pytest.approx([each.loss for each in other.read(STEPS, StepMetrics)], rel=1e-9)
