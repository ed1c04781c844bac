"""A training run laid out: what memory, exchanges and time of a step are reckoned from."""

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil

from glam.config import ModelConfig, TrainConfig
from glam.plan.clusters import Cluster
from glam.plan.layout import Layout, rows_of_replica
from glam.plan.weights import Split, Weights

PRODUCT_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2}


@dataclass(frozen=True)
class Job:
    """One choice of layout, micro-batch and recomputation."""

    model: ModelConfig
    train: TrainConfig
    cluster: Cluster
    layout: Layout
    micro_rows: int
    """Rows in one forward pass of a replica."""
    recompute: bool
    """Whether only what enters each block is kept, and the rest computed again for the gradient."""
    weights: Weights = field(repr=False)

    @cached_property
    def ours(self) -> bool:
        """Held and exchanged as our code does; what it does not run, as Megatron-LM with 16-bit weights does."""
        return self.layout.is_ours

    @property
    def on_processor(self) -> bool:
        return self.cluster.device.kind == "processor"

    @cached_property
    def num_micro_batches(self) -> int:
        return ceil(rows_of_replica(self.layout, self.train.global_batch_size) / self.micro_rows)

    @property
    def micro_tokens(self) -> int:
        return self.micro_rows * self.model.sequence_length

    @property
    def tokens_of_replica(self) -> int:
        """In a step, of the replica that has most."""
        return rows_of_replica(self.layout, self.train.global_batch_size) * self.model.sequence_length

    @property
    def product_bytes(self) -> int:
        """Of an element that is multiplied."""
        return PRODUCT_BYTES[self.train.precision]

    @property
    def precise_bytes(self) -> int:
        """Of weights and what is not multiplied: our bfloat16 is autocast over float32."""
        return 8 if self.train.precision == "float64" else 4

    @property
    def weight_bytes(self) -> int:
        """Of an element of weights and gradients."""
        return self.precise_bytes if self.ours else self.product_bytes

    @property
    def stream_bytes(self) -> int:
        """Of an element that passes from block to block."""
        return self.weight_bytes

    @cached_property
    def stage(self) -> float:
        """Share of the blocks on the pipeline stage that has most."""
        return ceil(self.model.num_layers / self.layout.pipeline) / self.model.num_layers

    def held(self, parts: Split, *, cut: bool) -> Split:
        """What of the parts one device holds; `cut`: where its sharding applies, else what it computes with."""
        layout = self.layout
        shards = layout.sharded if cut else 1
        # Experts are cut among the replicas of their group, all else among everyone.
        everyone = shards * layout.expert if shards > 1 else 1
        stage = self.stage / layout.tensor
        return Split(
            parts.outside / layout.tensor / everyone,
            parts.blocks * stage / everyone,
            parts.experts * stage / layout.expert / shards,
        )

    @cached_property
    def used(self) -> Split:
        """Parameters that a device computes with."""
        return self.held(self.weights.params, cut=False)

    @cached_property
    def owned(self) -> Split:
        """Parameters whose optimizer's state a device keeps."""
        return self.held(self.weights.params, cut=True)

    @cached_property
    def stored(self) -> Split:
        """Parameters that a device keeps between steps: with a pipeline, sharding leaves them whole."""
        return self.used if self.layout.pipeline > 1 else self.owned

    @property
    def gathers(self) -> bool:
        """Whether parameters are gathered for the block that needs them."""
        return self.layout.sharded > 1 and self.layout.pipeline == 1
