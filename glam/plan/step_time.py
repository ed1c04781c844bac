"""Seconds of a step by a roofline: each part takes what its products or its memory traffic take, whichever is longer.

Products run at the achievable fraction of the peak (`ACHIEVABLE`), memory at its data sheet's rate. Experts are taken
to be evenly loaded, and nothing is taken for input, launches or waiting for slower devices.
"""

from dataclasses import dataclass
from typing import Literal

from glam.counting import Counts
from glam.plan.activations import activations
from glam.plan.communication import Exchange, exchanges
from glam.plan.devices import ACHIEVABLE
from glam.plan.job import Job

TOUCHED, TOUCHED_RECOMPUTED = 5, 7
"""How often what the forward pass keeps is read or written: written, read by what comes next and by the gradient, whose
own value is written and read; with recomputation it is made twice."""
LOSS_TOUCHED = 8
"""The same of tensors as large as the logits: four of them."""
UPDATE_TOUCHED = {"adafactor": 21, "adamw": 7}
"""Reads and writes of an element in the optimizer's step: `glam.training.optimizer` operation by operation; AdamW is
one kernel over weight, gradient and two moments."""
CLIP_TOUCHED = 3
"""In the norm of the gradients and in scaling them."""


@dataclass(frozen=True)
class Part:
    """Work of one kind in a step, of one device."""

    name: str
    flops: float
    bytes_moved: float
    seconds: float
    bound: Literal["products", "memory"]


@dataclass(frozen=True)
class StepTime:
    """Seconds of a step."""

    parts: tuple[Part, ...]
    exchanges: tuple[Exchange, ...]
    computing: float
    waiting: float
    """For exchanges, as far as they do not go on beside computation."""
    bubble: float
    """While stages of the pipeline fill and drain: (p - 1) / m of what is done for each of m micro-batches."""
    seconds: float
    mfu: float
    """FLOPs that the model needs over those of all devices' peaks."""


def step_time(job: Job, counts: Counts) -> StepTime:
    """Of a step as laid out. Raises ValueError where the device's peak in this precision is not known."""
    device = job.cluster.device
    peak = device.peak(job.train.precision)
    sent = exchanges(job)
    of_passes = _passes(job, counts, peak)
    update = _update(job, peak)
    computing = sum(part.seconds for part in of_passes)
    beside = sum(each.seconds for each in sent if each.overlapped)
    waiting = sum(each.seconds for each in sent if not each.overlapped and each.every_micro_batch)
    after = sum(each.seconds for each in sent if not each.every_micro_batch)
    bubble = (computing + waiting) * (job.layout.pipeline - 1) / job.num_micro_batches
    seconds = max(computing, beside) + waiting + bubble + after + update.seconds
    tokens = job.train.global_batch_size * job.model.sequence_length
    return StepTime(
        parts=(*of_passes, update),
        exchanges=sent,
        computing=computing + update.seconds,
        waiting=waiting + after + max(0.0, beside - computing),
        bubble=bubble,
        seconds=seconds,
        mfu=tokens * counts.training_flops_per_token / (seconds * job.layout.num_devices * peak),
    )


def _passes(job: Job, counts: Counts, peak: float) -> list[Part]:
    """Forward, backward, and forward again where activations are not kept."""
    layout = job.layout
    blocks = 4 if job.recompute else 3
    per_token = job.tokens_of_replica / layout.tensor
    kept = activations(job)
    one_stage = per_token * job.stage * blocks
    # The ends of a pipeline hold fewer blocks for the logits they make.
    logits = per_token * 3 / layout.pipeline * counts.logits_flops
    read = job.num_micro_batches * job.product_bytes
    others = (TOUCHED_RECOMPUTED if job.recompute else TOUCHED) * (kept.blocks * job.stage + kept.end)
    loss = LOSS_TOUCHED * (kept.logits + kept.loss) / 4 / layout.pipeline
    products, of_experts = counts.attention_flops + counts.dense_flops + counts.router_flops, counts.expert_flops
    if job.model.num_experts == 1:  # whose weights lie among those of the blocks
        products, of_experts = products + of_experts, 0
    return [
        _part(job, "attention, dense and router", products * one_stage, blocks * read * job.used.blocks, peak),
        _part(job, "experts", of_experts * one_stage, blocks * read * job.used.experts, peak),
        _part(job, "logits", logits, 3 * read * job.used.outside, peak),
        _part(job, "activations", 0.0, job.num_micro_batches * others, peak),
        _part(job, "loss", 0.0, job.num_micro_batches * loss, peak),
    ]


def _update(job: Job, peak: float) -> Part:
    touched = UPDATE_TOUCHED[job.train.optimizer] + CLIP_TOUCHED
    return _part(job, "optimizer", 0.0, touched * job.precise_bytes * job.owned.total, peak)


def _part(job: Job, name: str, flops: float, bytes_moved: float, peak: float) -> Part:
    device = job.cluster.device
    products = flops / (peak * ACHIEVABLE[device.kind].fraction)
    moving = bytes_moved / device.bandwidth_bytes_per_second
    return Part(name, flops, bytes_moved, max(products, moving), "products" if products >= moving else "memory")
