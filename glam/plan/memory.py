"""Bytes that a device holds at the worst moment of a step, by part.

On the processor as our code was measured to hold them (docs/plan.md); elsewhere by the same arithmetic, untried.
"""

from dataclasses import dataclass
from typing import Literal

from glam.plan.activations import activations
from glam.plan.job import Job

USABLE_FRACTION = 0.9
"""Of an accelerator's memory: an assumption; the rest is for its runtime, exchanges, and pieces that fit nothing."""
PROCESS_BYTES = 0.58e9
"""What a worker under Ray holds with the smallest of models, libraries with it; measured with torch 2.13 on Linux."""
SERIALISED = 2
"""Times the state that writing a checkpoint takes besides the copy: each tensor as bytes, and the file of them all."""


@dataclass(frozen=True)
class Memory:
    """Bytes of one device."""

    weights: float
    gradients: float
    optimizer: float
    """Its state, with float32 weights where those that are trained have fewer bits."""
    casts: float
    """16-bit copies of weights that autocast keeps until the gradient."""
    gathered: float
    """Parameters and gradients of others, where they are sharded: what is outside the blocks, and two blocks."""
    activations: float
    logits: float
    update: float
    """What the optimizer makes on the way."""
    checkpoint: float
    """The copy of weights and optimizer that is being written, and its bytes."""
    process: float
    """On the processor: libraries."""
    peak: float
    """At the worst moment, not the sum: activations have gone when the optimizer steps."""
    moment: Literal["loss", "update"]
    """At which that is."""
    usable: float
    """Of what the device has."""

    @property
    def fits(self) -> bool:
        return self.peak <= self.usable

    @property
    def missing(self) -> float:
        """Bytes that the device lacks; 0: none."""
        return max(0.0, self.peak - self.usable)


def memory(job: Job) -> Memory:
    """Of the device that holds most."""
    model = job.model
    weights = job.weight_bytes * job.stored.total
    optimizer = _optimizer(job)
    kept = activations(job)
    casts = _casts(job)
    block = (job.used.blocks + job.used.experts) / (model.num_layers * job.stage)
    gathered = (2 * job.used.outside + 3 * block) * job.weight_bytes if job.gathers else 0.0
    if job.recompute:
        # Either the loss or a block that is computed again needs most.
        in_blocks = model.num_layers * job.stage * kept.entry * _in_flight(job) + kept.end
        in_blocks += max(0.0, kept.largest_block - kept.loss)
    else:
        in_blocks = kept.blocks * job.stage * _in_flight(job) + kept.end
    update = _update(job)
    state = weights + optimizer
    checkpoint = _checkpoint(job, state)
    process = PROCESS_BYTES if job.on_processor else 0.0
    always = state + checkpoint + process
    before = weights if job.num_micro_batches > 1 else 0.0  # gradients of earlier micro-batches
    at_loss = always + casts + gathered + in_blocks + kept.logits + kept.loss + before
    at_update = always + weights + kept.logits + update
    device = job.cluster.device
    return Memory(
        weights=weights,
        gradients=weights,
        optimizer=optimizer,
        casts=casts,
        gathered=gathered,
        activations=in_blocks,
        logits=kept.logits + kept.loss,
        update=update,
        checkpoint=checkpoint,
        process=process,
        peak=max(at_loss, at_update),
        moment="loss" if at_loss >= at_update else "update",
        usable=device.memory_bytes * (1.0 if job.on_processor else USABLE_FRACTION),
    )


def generation_cache_bytes(job: Job) -> float:
    """Keys and values of one whole row, in the precision of the weights."""
    model = job.model
    return 2 * model.num_layers * model.num_heads * model.head_dim * model.sequence_length * job.precise_bytes


def _optimizer(job: Job) -> float:
    master = 0 if job.weight_bytes >= job.precise_bytes else job.precise_bytes * job.owned.total
    if job.train.optimizer == "adafactor":
        return master + job.precise_bytes * job.held(job.weights.factored, cut=True).total
    return master + 2 * job.precise_bytes * job.owned.total


def _update(job: Job) -> float:
    """Adafactor squares a gradient and adds to it, which are two tensors as large as the largest parameter."""
    if job.train.optimizer != "adafactor":
        return 0.0
    largest = job.held(job.weights.largest, cut=job.layout.pipeline == 1)
    of_block = max(largest.blocks, largest.experts) / job.stage  # a tensor is of one layer, whatever the stage holds
    return 2 * job.precise_bytes * max(largest.outside, of_block)


def _casts(job: Job) -> float:
    """All weights that are multiplied, or those of one block and the embedding where blocks are computed again."""
    if not job.ours or job.product_bytes >= job.weight_bytes:
        return 0.0
    blocks = job.used.blocks + job.used.experts
    return job.product_bytes * (job.used.outside + blocks / (job.model.num_layers if job.recompute else 1))


def _in_flight(job: Job) -> int:
    """Micro-batches whose activations the first stage of a pipeline keeps."""
    return min(job.layout.pipeline, job.num_micro_batches)


def _checkpoint(job: Job, state: float) -> float:
    """On the processor all of it; of an accelerator's memory the copy of what is cut, which its mesh keeps there."""
    if job.on_processor:
        return (1 + SERIALISED) * state
    if not job.ours:
        return 0.0
    if job.layout.sharded > 1:
        return state
    whole = job.stored.total
    return state * job.stored.experts / whole if job.layout.expert > 1 else 0.0
