"""CLUSTERS: devices that are wired together, where they stand, and what their power emits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Self

from glam.plan.devices import DEVICES, Device
from glam.published import PUBLISHED_COSTS, PublishedCost


@dataclass(frozen=True, kw_only=True)
class Node:
    """How devices of one kind are usually wired. Speeds are of one device and one direction."""

    num_devices: int
    """Among which the fast link reaches."""
    inside_bytes_per_second: float
    between_bytes_per_second: float
    topology: Literal["switched", "torus"] = "switched"
    """torus: a link to each of six neighbours, so what all send to all is bounded by the cut through the middle."""
    source: str


_NVSWITCH = "NVLink by the data sheet, halved to one direction"
NODES: Mapping[str, Node] = {
    "tpu_v4": Node(
        num_devices=4096,
        inside_bytes_per_second=300e9,
        between_bytes_per_second=300e9,
        topology="torus",
        source="six links of 50 GB/s a direction in a 3D torus (Jouppi et al., arXiv:2304.01433); that collectives use "
        "all six is an assumption",
    ),
    "v100": Node(
        num_devices=8,
        inside_bytes_per_second=150e9,
        between_bytes_per_second=6.25e9,
        source=f"{_NVSWITCH}; 400 Gb/s a server (Microsoft on OpenAI's machine, May 2020); 8 a server is an assumption",
    ),
    "a100_40": Node(
        num_devices=8,
        inside_bytes_per_second=300e9,
        between_bytes_per_second=25e9,
        source=f"{_NVSWITCH}; 200 Gb/s InfiniBand a GPU as in a DGX A100",
    ),
    "h100": Node(
        num_devices=8,
        inside_bytes_per_second=450e9,
        between_bytes_per_second=50e9,
        source=f"{_NVSWITCH}; 400 Gb/s InfiniBand a GPU as in a DGX H100",
    ),
    "b200": Node(
        num_devices=8,
        inside_bytes_per_second=900e9,
        between_bytes_per_second=50e9,
        source=f"{_NVSWITCH}; 400 Gb/s InfiniBand a GPU as in a DGX B200",
    ),
}
NODES = {**NODES, "a100_80": NODES["a100_40"], "h200": NODES["h100"]}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a plan is made for. None is unknown, and what would follow from it is too."""

    name: str
    device: Device
    num_devices: int
    node: Node
    pue: float | None = None
    """Power usage effectiveness: what the site takes over what its machines take."""
    grid_tonnes_per_mwh: float | None = None
    """t CO2e of the electricity."""
    grid_source: str | None = None
    """With the year."""
    price_per_device_hour: float | None = None
    """In the caller's currency; no list of prices is kept here."""
    source: str

    def of(self, num_devices: int) -> Self:
        """The same place with more or fewer devices."""
        return replace(self, num_devices=num_devices)


def _cost(title: str) -> PublishedCost:
    return next(cost for cost in PUBLISHED_COSTS if cost.title == title)


def _published(name: str, device: str, title: str, *, grid_source: str, source: str) -> Cluster:
    """The machine of a published run. Where its energy was published without the site's share, PUE is 1."""
    cost = _cost(title)
    return Cluster(
        name=name,
        device=DEVICES[device],
        num_devices=int(cost.num_accelerators.value),
        node=NODES[device],
        pue=1.0 if cost.pue is None else cost.pue.value,
        grid_tonnes_per_mwh=cost.grid_tonnes_per_mwh.value,
        grid_source=grid_source,
        source=f"{cost.source}; {source}",
    )


CLUSTERS: dict[str, Cluster] = {
    cluster.name: cluster
    for cluster in (
        _published(
            "glam",
            "tpu_v4",
            "GLaM, 600 B tokens",
            grid_source="2021, net of what the operator bought",
            source="1,024 TPU v4",
        ),
        _published(
            "gpt3",
            "v100",
            "GPT-3",
            grid_source="2020, of the United States, by way of 552 t / 1,287 MWh",
            source="10,000 V100",
        ),
        _published(
            "glm_130b",
            "a100_40",
            "GLM-130B",
            grid_source="2022, of China's grid",
            source="96 DGX A100 of 8 x 40 GB; no PUE was applied to its energy",
        ),
        Cluster(
            name="h100",
            device=DEVICES["h100"],
            num_devices=1024,
            node=NODES["h100"],
            source="an example: 1,024 H100 SXM5, eight a server; site, grid and price are not given",
        ),
    )
}


def find_cluster(name: str) -> Cluster:
    """The cluster of that name. Raises ValueError listing what exists."""
    if name not in CLUSTERS:
        raise ValueError(f"unknown cluster {name!r}; known: {', '.join(CLUSTERS)}")
    return CLUSTERS[name]


def cluster_of(device: str, num_devices: int) -> Cluster:
    """So many devices, wired as they usually are, at no place in particular. Raises ValueError listing the devices."""
    if device not in DEVICES:
        raise ValueError(f"unknown device {device!r}; known: cpu, {', '.join(DEVICES)}")
    if num_devices < 1:
        raise ValueError(f"num_devices={num_devices} is no cluster; at least 1")
    return Cluster(
        name=f"{num_devices} {device}",
        device=DEVICES[device],
        num_devices=num_devices,
        node=NODES[device],
        source=NODES[device].source,
    )
