"""What a forward pass keeps for the gradient, in bytes a token, as `glam.model` computes it.

Counted tensor by tensor; tests hold the sums against what autograd keeps. On an accelerator attention is torch's fused
one, whose mask and bias are one tensor of all pairs; that was not tried on one.
"""

from dataclasses import dataclass
from math import ceil

from glam.plan.job import Job

BLOCK = 128
"""Queries of a block, whose strip of biases is kept (`glam.model.blocked_attention`)."""
OF_LOSS = 3
"""Tensors as large as the logits, while their gradient is made: log-probabilities, and the gradients of both."""


@dataclass(frozen=True)
class Activations:
    """Bytes of one micro-batch."""

    entry: float
    """What enters a block."""
    dense_block: float
    """All that a dense block keeps, its entry with it."""
    mixture_block: float
    end: float
    """Between the last block and the logits."""
    logits: float
    """They are held until the step is done."""
    loss: float
    """What the loss makes of them."""

    blocks: float
    """Of all layers."""

    @property
    def largest_block(self) -> float:
        return max(self.dense_block, self.mixture_block)


def activations(job: Job) -> Activations:
    """Of one micro-batch on one device."""
    model, tokens, tensor = job.model, job.micro_tokens, job.layout.tensor
    width, inner = model.model_dim, model.num_heads * model.head_dim
    stream, product = job.stream_bytes, job.product_bytes
    cast = product != stream

    def inputs(number: int) -> float:
        """Of products of one tensor: it is kept once, or cast for each of them."""
        return width * (number * product if cast else stream)

    norms = 4 * width * stream
    attention = inputs(3) + inner * (3 * (stream if job.on_processor else product) + product) / tensor
    block = norms + attention
    dense = inputs(_num_in(model.dense_gated)) + product * _hidden(
        model.hidden_dim, model.dense_gated, model.dense_activation, tensor
    )
    if model.num_experts > 1:
        mixture = width * stream + 2 * model.top_k * width * product
        mixture += model.top_k * model.expert_hidden_dim * (2 if model.expert_gated else 1) * product / tensor
        mixture += 3 * model.num_experts * job.precise_bytes + 32 * model.top_k  # the router's logits, and indices
    else:
        mixture = inputs(_num_in(model.expert_gated)) + product * _hidden(
            model.expert_hidden_dim, model.expert_gated, model.expert_activation, tensor
        )
    pairs = _pairs(job)
    dense_block, mixture_block = tokens * (block + dense) + pairs, tokens * (block + mixture) + pairs
    num_mixture = job.weights.num_mixture_layers
    return Activations(
        entry=tokens * width * stream,
        dense_block=dense_block,
        mixture_block=mixture_block,
        blocks=num_mixture * mixture_block + (model.num_layers - num_mixture) * dense_block,
        end=tokens * width * (2 * stream + product),
        logits=tokens * model.vocab_size * product / tensor,
        loss=tokens * model.vocab_size * OF_LOSS * job.precise_bytes / tensor,
    )


def _num_in(gated: bool) -> int:
    return 2 if gated else 1


def _hidden(hidden_dim: int, gated: bool, activation: str, tensor: int) -> float:
    """Elements: before and after the activation (of ReLU one of them tells both), the gate, and their product."""
    return hidden_dim * ((1 if activation == "relu" else 2) + (2 if gated else 0)) / tensor


def _pairs(job: Job) -> float:
    """What attention keeps of pairs of positions, in a block."""
    model = job.model
    length, biased = model.sequence_length, model.positions == "t5_bias"
    if job.on_processor:
        block = min(BLOCK, length)
        strips = model.num_heads if biased else 1
        return strips * block * ceil(length / block) * block * job.precise_bytes
    return job.micro_tokens * length * (model.num_heads / job.layout.tensor if biased else 1) * job.product_bytes
