"""Bytes that a device sends in a step, by kind of exchange, and how long the links take for them.

Ring exchanges of S bytes among n devices send S (n - 1) / n for gathering or reducing to shards, twice that for both.
Groups lie as in `Layout`: tensor innermost, then experts, then data, pipeline outermost.
"""

from dataclasses import dataclass
from typing import Literal

from glam.plan.clusters import Cluster
from glam.plan.job import Job

Kind = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "point_to_point"]


@dataclass(frozen=True)
class Exchange:
    """One kind of exchange over one group of devices."""

    kind: Kind
    of: str
    group: int
    """Devices that take part."""
    inside_node: bool
    bytes_sent: float
    """By a device in a step."""
    seconds: float
    overlapped: bool
    """Whether it goes on beside computation, as FSDP2 gathers the next block; else the device waits."""
    every_micro_batch: bool


def exchanges(job: Job) -> tuple[Exchange, ...]:
    """Those of one step; none where nothing is sent."""
    return tuple(each for each in (*_of_weights(job), *_of_tokens(job)) if each.bytes_sent > 0)


def _of_weights(job: Job) -> list[Exchange]:
    layout, used, size = job.layout, job.used, job.weight_bytes
    shared, experts = (used.outside + used.blocks) * size, used.experts * size
    copies, inner = layout.data * layout.sharded, layout.tensor
    everyone = copies * layout.expert
    of_experts = inner * layout.expert
    if not job.gathers:  # ZeRO stage 1 sends as much as reducing whole gradients does
        return [
            _exchange(job, "all_reduce", "gradients", everyone, inner, 2 * _ring(everyone) * shared),
            _exchange(job, "all_reduce", "gradients of experts", copies, of_experts, 2 * _ring(copies) * experts),
        ]
    passes = job.num_micro_batches
    found: list[Exchange] = []
    for what, group, stride, size in (
        ("", layout.sharded * layout.expert, inner, shared),
        (" of experts", layout.sharded, of_experts, experts),
    ):
        volume = passes * _ring(group) * size
        found += [
            _exchange(job, "all_gather", f"parameters{what}", group, stride, 2 * volume, overlapped=True),
            _exchange(job, "reduce_scatter", f"gradients{what}", group, stride, volume, overlapped=True),
        ]
    if layout.data > 1:  # copies of shards
        volume = 2 * _ring(layout.data) * (shared / (layout.sharded * layout.expert) + experts / layout.sharded)
        stride = of_experts * layout.sharded
        found.append(_exchange(job, "all_reduce", "gradients of shards", layout.data, stride, volume))
    return found


def _of_tokens(job: Job) -> list[Exchange]:
    model, layout = job.model, job.layout
    vector = job.tokens_of_replica * model.model_dim
    passes = 3 if job.recompute else 2  # forward and backward, and forward again
    # Our experts take rows as the block has them and give back products; the others 16 bits both ways.
    rows = model.top_k * vector * (job.stream_bytes + job.product_bytes) / layout.tensor
    to_experts = passes * job.weights.num_mixture_layers * job.stage * _ring(layout.expert) * rows
    in_blocks = passes * model.num_layers * job.stage * 2 * 2 * _ring(layout.tensor) * vector * job.product_bytes
    stages = 2 * vector * job.product_bytes / layout.tensor if layout.pipeline > 1 else 0.0
    stride = layout.tensor * layout.replicas
    return [
        _exchange(
            job, "all_to_all", "tokens to experts and back", layout.expert, layout.tensor, to_experts, tokens=True
        ),
        _exchange(job, "all_reduce", "halves of blocks", layout.tensor, 1, in_blocks, tokens=True),
        _exchange(job, "point_to_point", "between stages", layout.pipeline, stride, stages, tokens=True),
    ]


def _exchange(
    job: Job,
    kind: Kind,
    of: str,
    group: int,
    stride: int,
    volume: float,
    *,
    overlapped: bool = False,
    tokens: bool = False,
) -> Exchange:
    """`stride`: how far apart members of the group are."""
    inside = group * stride <= job.cluster.node.num_devices
    seconds = volume / bytes_per_second(job.cluster, kind, group, stride) if volume else 0.0
    return Exchange(kind, of, group, inside, volume, seconds, overlapped, tokens or overlapped)


def bytes_per_second(cluster: Cluster, kind: Kind, group: int, stride: int = 1) -> float:
    """Of one device and direction, while all groups of the cluster do the same."""
    node = cluster.node
    if kind == "all_to_all" and node.topology == "torus":
        # Of n chips in a cube of side s, a quarter of what all send crosses the middle each way, on 2 s^2 links.
        side = (group * stride) ** (1 / 3)
        return min(node.inside_bytes_per_second, 8 * node.inside_bytes_per_second / 6 / side)
    if group * stride <= node.num_devices:
        return node.inside_bytes_per_second
    if kind in ("all_to_all", "point_to_point"):
        return node.between_bytes_per_second
    # A ring enters and leaves a node once, so the members inside share what crosses.
    members = max(1, node.num_devices // stride)
    return min(node.inside_bytes_per_second, members * node.between_bytes_per_second)


def _ring(group: int) -> float:
    return (group - 1) / group
