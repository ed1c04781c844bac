"""A made-up cluster with round numbers."""

import pytest

from glam.config import TrainConfig
from glam.plan.clusters import Cluster, Node
from glam.plan.devices import Device


def make_cluster(
    num_devices: int = 8, *, memory_bytes: float = 1e12, per_node: int = 4, kind: str = "accelerator"
) -> Cluster:
    device = Device(
        name="made_up",
        title="a made-up chip",
        kind="processor" if kind == "processor" else "accelerator",
        peak_flops={"float32": 1e12, "bfloat16": 4e12},
        memory_bytes=memory_bytes,
        bandwidth_bytes_per_second=1e12,
        data_sheet_watts=100,
        system_watts=None,
        source="nowhere",
    )
    node = Node(num_devices=per_node, inside_bytes_per_second=1e10, between_bytes_per_second=1e9, source="nowhere")
    return Cluster(name="made up", device=device, num_devices=num_devices, node=node, source="nowhere")


@pytest.fixture
def cluster() -> Cluster:
    return make_cluster()


@pytest.fixture
def train() -> TrainConfig:
    return TrainConfig(num_steps=1, global_batch_size=64, precision="bfloat16")
