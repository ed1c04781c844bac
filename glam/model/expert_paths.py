"""What the experts compute, in several ways to the same result: `EXPERT_PATHS`.

Rows come sorted by expert; those beyond the counted ones were dropped and come out as zeros.
"""

# ruff: noqa: ARG001 - what an operator registers repeats its whole signature
# R rows sorted by expert, E experts, C rows of the fullest expert, M model width, F expert width
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from glam.model.feed_forward import feed_forward
from glam.model.layers import ACTIVATION_GRADIENTS, ACTIVATIONS


@dataclass(frozen=True)
class ExpertWeights:
    """Stacked matrices of all experts of a layer."""

    into: Tensor
    """[E, M, F]"""
    gate: Tensor | None
    """[E, M, F]; None: not gated."""
    out: Tensor
    """[E, F, M]"""

    def to(self, dtype: torch.dtype) -> "ExpertWeights":
        """The same in another precision."""
        gate = self.gate.to(dtype) if self.gate is not None else None
        return ExpertWeights(self.into.to(dtype), gate, self.out.to(dtype))


ExpertPath = Callable[[Tensor, Tensor, ExpertWeights, str], Tensor]
"""(rows [R, M], rows of each expert [E] int64, weights, activation) -> [R, M]."""


def loop(rows_RM: Tensor, counts_E: Tensor, weights: ExpertWeights, activation: str) -> Tensor:
    """One expert after the other: the plain meaning, by which the others are judged."""
    counts = counts_E.tolist()
    # unbind gives the gradient of all experts in one piece; indexing would make E full-size ones.
    gates = weights.gate.unbind() if weights.gate is not None else (None,) * len(counts)
    *kept, dropped = rows_RM.split([*counts, len(rows_RM) - sum(counts)])
    computed = [
        feed_forward(rows, into, gate, out, activation)
        for rows, into, gate, out in zip(kept, weights.into.unbind(), gates, weights.out.unbind(), strict=True)
    ]
    return torch.cat([*computed, torch.zeros_like(dropped)])


def padded(rows_RM: Tensor, counts_E: Tensor, weights: ExpertWeights, activation: str) -> Tensor:
    """One batched product over all experts, each padded to the fullest one's rows: for bounded capacity."""
    num_experts, fullest = len(counts_E), int(counts_E.max())
    expert_R = torch.repeat_interleave(counts_E)
    kept_RM = rows_RM[: len(expert_R)]
    first_E = counts_E.cumsum(0) - counts_E
    slot_R = expert_R * fullest + torch.arange(len(expert_R), device=rows_RM.device) - first_E[expert_R]
    slots = rows_RM.new_zeros(num_experts * fullest, rows_RM.shape[1]).index_copy(0, slot_R, kept_RM)
    hidden_ECF = slots.unflatten(0, (num_experts, fullest))
    computed = feed_forward(hidden_ECF, weights.into, weights.gate, weights.out, activation).flatten(0, 1)
    return F.pad(computed.index_select(0, slot_R), (0, 0, 0, len(rows_RM) - len(kept_RM)))


def grouped(rows_RM: Tensor, counts_E: Tensor, weights: ExpertWeights, activation: str) -> Tensor:
    """Each expert on its own rows without padding, what it makes on the way kept in the processor's cache."""
    return grouped_experts(rows_RM, counts_E, weights.into, weights.gate, weights.out, activation)[0]


def grouped_mm(rows_RM: Tensor, counts_E: Tensor, weights: ExpertWeights, activation: str) -> Tensor:
    """torch's grouped product: one kernel for all experts where the device has one. Not tried on a GPU."""
    ends_E = counts_E.cumsum(0).to(torch.int32)
    # It leaves rows beyond the last expert's unwritten, forward and backward.
    kept_R1 = torch.arange(len(rows_RM), device=rows_RM.device)[:, None] < ends_E[-1]
    rows_RM = torch.where(kept_R1, rows_RM, 0)
    hidden = ACTIVATIONS[activation](F.grouped_mm(rows_RM, weights.into, offs=ends_E))
    if weights.gate is not None:
        hidden = hidden * F.grouped_mm(rows_RM, weights.gate, offs=ends_E)
    computed = F.grouped_mm(torch.where(kept_R1, hidden, 0), weights.out, offs=ends_E)
    return torch.where(kept_R1, computed, 0)


EXPERT_PATHS: Mapping[str, ExpertPath] = {
    "loop": loop,
    "padded": padded,
    "grouped": grouped,
    "grouped_mm": grouped_mm,
}


def default_path(rows_RM: Tensor, weights: ExpertWeights) -> str:
    """`grouped_mm` on a GPU in bfloat16 with widths of whole 16 bytes (not measured on one), else `grouped`."""
    aligned = all(size % 8 == 0 for size in weights.into.shape[1:])
    return "grouped_mm" if rows_RM.is_cuda and rows_RM.dtype == torch.bfloat16 and aligned else "grouped"


@torch.library.custom_op("glam::grouped_experts", mutates_args=())
def grouped_experts(
    rows: Tensor, counts: Tensor, into: Tensor, gate: Tensor | None, out: Tensor, activation: str
) -> tuple[Tensor, Tensor, Tensor]:
    """(computed [R, M], inputs of the activation [R, F], of the gate [R, F] or empty); the latter two for backward.

    Of ReLU the output is kept instead: its gradient can be read off either.
    """
    pieces, num_counted = _pieces(counts)
    computed = torch.empty_like(rows)
    computed[num_counted:].zero_()
    kept = rows.new_empty(len(rows), into.shape[2])
    gates = rows.new_empty(len(rows) if gate is not None else 0, into.shape[2])

    for expert, piece in enumerate(pieces):
        torch.mm(rows[piece], into[expert], out=kept[piece])
        hidden = kept[piece].relu_() if activation == "relu" else ACTIVATIONS[activation](kept[piece])
        if gate is not None:
            torch.mm(rows[piece], gate[expert], out=gates[piece])
            hidden = hidden * gates[piece]
        torch.mm(hidden, out[expert], out=computed[piece])
    return computed, kept, gates


@torch.library.custom_op("glam::grouped_experts_backward", mutates_args=())
def grouped_experts_backward(
    d_computed: Tensor,
    rows: Tensor,
    counts: Tensor,
    into: Tensor,
    gate: Tensor | None,
    out: Tensor,
    kept: Tensor,
    gates: Tensor,
    activation: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of rows, into, gate (empty without one) and out."""
    pieces, num_counted = _pieces(counts)
    d_rows = torch.empty_like(rows)
    d_rows[num_counted:].zero_()
    d_into, d_out = torch.empty_like(into), torch.empty_like(out)
    d_gate = torch.empty_like(gate) if gate is not None else into.new_empty(0)

    for expert, piece in enumerate(pieces):
        x, dy, a = rows[piece], d_computed[piece], kept[piece]
        hidden = a if activation == "relu" else ACTIVATIONS[activation](a)
        d_hidden = dy @ out[expert].t()
        if gate is not None:
            g = gates[piece]
            d_g = d_hidden * hidden
            hidden = hidden * g
            d_hidden.mul_(g)
            torch.mm(x.t(), d_g, out=d_gate[expert])
            torch.mm(d_g, gate[expert].t(), out=d_rows[piece])
        torch.mm(hidden.t(), dy, out=d_out[expert])
        d_a = ACTIVATION_GRADIENTS[activation](d_hidden, a)
        torch.mm(x.t(), d_a, out=d_into[expert])
        # With a gate, added to what came through it.
        torch.addmm(d_rows[piece], d_a, into[expert].t(), beta=0 if gate is None else 1, out=d_rows[piece])
    return d_rows, d_into, d_gate, d_out


def _pieces(counts: Tensor) -> tuple[list[slice], int]:
    pieces, start = [], 0
    for count in counts.tolist():
        pieces.append(slice(start, start + count))
        start += count
    return pieces, start


@grouped_experts.register_fake
def _(rows: Tensor, counts: Tensor, into: Tensor, gate: Tensor | None, out: Tensor, activation: str):
    width = into.shape[2]
    gates = rows.new_empty(len(rows) if gate is not None else 0, width)
    return torch.empty_like(rows), rows.new_empty(len(rows), width), gates


@grouped_experts_backward.register_fake
def _(d_computed, rows, counts, into, gate, out, kept, gates, activation):
    d_gate = torch.empty_like(gate) if gate is not None else into.new_empty(0)
    return torch.empty_like(rows), torch.empty_like(into), d_gate, torch.empty_like(out)


def _save(ctx, inputs, output) -> None:
    rows, counts, into, gate, out, ctx.activation = inputs
    ctx.set_materialize_grads(False)  # what is kept for backward has no gradient of its own
    ctx.save_for_backward(rows, counts, into, gate, out, output[1], output[2])


def _backward(ctx, d_computed: Tensor, *_: Tensor):
    rows, counts, into, gate, out, kept, gates = ctx.saved_tensors
    d_rows, d_into, d_gate, d_out = grouped_experts_backward(
        d_computed.contiguous(), rows, counts, into, gate, out, kept, gates, ctx.activation
    )
    return d_rows, None, d_into, d_gate if gate is not None else None, d_out, None


grouped_experts.register_autograd(_backward, setup_context=_save)


@register_flop_formula(torch.ops.glam.grouped_experts)
def _flops(rows_shape, counts_shape, into_shape, gate_shape, *_, **__) -> int:
    return 2 * rows_shape[0] * into_shape[1] * into_shape[2] * (2 if gate_shape is None else 3)


@register_flop_formula(torch.ops.glam.grouped_experts_backward)
def _backward_flops(d_computed_shape, rows_shape, counts_shape, into_shape, gate_shape, *_, **__) -> int:
    return 2 * _flops(rows_shape, counts_shape, into_shape, gate_shape)
