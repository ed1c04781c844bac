"""Causal attention in blocks of queries: memory grows with the row, not with its square times the heads.

Scores of a block are made, used and forgotten, and made again for the gradient. A bias that is learned
takes part, which the fused attention of the processor refuses when the bias needs a gradient. Keys of
earlier documents of a packed row are not even multiplied.
"""

# ruff: noqa: ARG001 - what an operator registers repeats its whole signature
# B rows, H heads, S positions, D head width, Q queries of a block, C columns of the strip (S rounded up to blocks)
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

BLOCK = 128
"""Queries of a block; at rows of 256 and 1,024 positions 64 was measured no faster and 256 slower."""


def blocked_attention(
    query_BHSD: Tensor,
    key_BHSD: Tensor,
    value_BHSD: Tensor,
    *,
    bias_HS: Tensor | None = None,
    first_BQ: Tensor | None = None,
    extra_logit: bool = False,
) -> Tensor:
    """[B, H, S, D]: each position attends to those from `first_BQ` (None: the first of all) to itself.

    `first_BQ` never falls along a row. Logits are not scaled. `bias_HS` is added to them by distance; `extra_logit`
    adds a logit of 0 to each softmax whose value is nothing.
    """
    dtype = query_BHSD.dtype
    precise = torch.promote_types(dtype, torch.float32)  # logits of lower precision would be rounded before the softmax
    query_BHSD, key_BHSD, value_BHSD = (each.to(precise) for each in (query_BHSD, key_BHSD, value_BHSD))
    strip = _strip(None if bias_HS is None else bias_HS.to(precise), query_BHSD)
    return _attend(query_BHSD, key_BHSD, value_BHSD, strip, first_BQ, extra_logit).to(dtype)


def _strip(bias_HS: Tensor | None, query_BHSD: Tensor) -> Tensor:
    """[H or 1, Q, C]: what is added to a block's logits; entry (i, c) is of distance i + C - Q - c, -inf ahead.

    One strip serves every block: it reads the columns that end with its own queries.
    """
    length = query_BHSD.shape[2]
    block = min(BLOCK, length)
    columns = math.ceil(length / block) * block
    if bias_HS is None:
        bias_HS = query_BHSD.new_zeros(1, length)
    # Column c of the last row has distance columns - 1 - c; a row above it looks one less far.
    by_column = F.pad(bias_HS.flip(-1), (columns - length, 0))
    by_column = F.pad(by_column, (0, block - 1), value=-math.inf)
    return by_column.unfold(-1, columns, 1).flip(-2).contiguous()


@dataclass(frozen=True)
class _Block:
    """Queries of one row and the keys that any of them sees."""

    row: int
    queries: slice
    keys: slice
    first_Q1: Tensor | None
    """First key of each query where that is not the same for all."""

    def of(self, strip: Tensor) -> Tensor:
        """[H or 1, queries, keys]: the part of the strip that speaks of this block."""
        _, block, columns = strip.shape
        shift = columns - block - self.queries.start
        height = self.queries.stop - self.queries.start
        return strip[:, :height, shift + self.keys.start : shift + self.keys.stop]


def _blocks(shape: torch.Size, block: int, first: Tensor | None) -> Iterator[_Block]:
    num_rows, _, length, _ = shape
    starts = range(0, length, block)
    if first is None:
        begin = end = [[0] * len(starts)] * num_rows
    else:
        lasts = [min(start + block, length) - 1 for start in starts]
        begin, end = first[:, starts].tolist(), first[:, lasts].tolist()
    for row in range(num_rows):
        for index, start in enumerate(starts):
            queries = slice(start, min(start + block, length))
            first_Q1 = None
            if first is not None and begin[row][index] != end[row][index]:
                first_Q1 = first[row, queries, None]
            yield _Block(row, queries, slice(begin[row][index], queries.stop), first_Q1)


def _weights(q: Tensor, k: Tensor, block: _Block, strip: Tensor, extra_logit: bool) -> Tensor:
    """[H, queries, keys]: softmax of the logits; with the extra logit what each query leaves to it is missing."""
    # Scores in one piece: products into a part of something larger would fall apart into one for each head.
    scores = torch.baddbmm(block.of(strip).expand(len(q), -1, -1), q, k.mT)
    if block.first_Q1 is not None:
        key = torch.arange(block.keys.start, block.keys.stop, device=q.device)
        scores.masked_fill_(key < block.first_Q1, -math.inf)
    weights = scores.softmax(dim=-1)
    if extra_logit:
        # The greatest weight is one over the sum of exp(logit - greatest), to which exp(0 - greatest) is added.
        sum_inverse = weights.amax(dim=-1, keepdim=True)
        weights *= 1 / (1 + sum_inverse * (-scores.amax(dim=-1, keepdim=True)).exp())
    return weights


@torch.library.custom_op("glam::blocked_attention", mutates_args=())
def _attend(
    query: Tensor, key: Tensor, value: Tensor, strip: Tensor, first: Tensor | None, extra_logit: bool
) -> Tensor:
    mixed = torch.empty_like(query, memory_format=torch.preserve_format)
    for block in _blocks(query.shape, strip.shape[1], first):
        q, k, v = query[block.row, :, block.queries], key[block.row, :, block.keys], value[block.row, :, block.keys]
        weights = _weights(q, k, block, strip, extra_logit)
        mixed[block.row, :, block.queries] = torch.bmm(weights, v)
    return mixed


@torch.library.custom_op("glam::blocked_attention_backward", mutates_args=())
def _attend_backward(
    d_mixed: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    strip: Tensor,
    first: Tensor | None,
    extra_logit: bool,
    strip_learns: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)
    d_strip = torch.zeros_like(strip) if strip_learns else strip.new_empty(0)
    for block in _blocks(query.shape, strip.shape[1], first):
        q, k, v = query[block.row, :, block.queries], key[block.row, :, block.keys], value[block.row, :, block.keys]
        d_m = d_mixed[block.row, :, block.queries]
        weights = _weights(q, k, block, strip, extra_logit)
        d_value[block.row, :, block.keys] += torch.bmm(weights.mT, d_m)
        # The extra logit takes part in no sum over the gradient of the weights: its value is nothing.
        d_scores = torch.ops.aten._softmax_backward_data(torch.bmm(d_m, v.mT), weights, -1, weights.dtype)
        d_query[block.row, :, block.queries] = torch.bmm(d_scores, k)
        d_key[block.row, :, block.keys] += torch.bmm(d_scores.mT, q)
        if strip_learns:
            block.of(d_strip).add_(d_scores)
    return d_query, d_key, d_value, d_strip


@_attend.register_fake
def _(query, key, value, strip, first, extra_logit):
    return torch.empty_like(query)


@_attend_backward.register_fake
def _(d_mixed, query, key, value, strip, first, extra_logit, strip_learns):
    d_strip = torch.empty_like(strip) if strip_learns else strip.new_empty(0)
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), d_strip


def _save(ctx, inputs, output) -> None:
    query, key, value, strip, first, ctx.extra_logit = inputs
    ctx.save_for_backward(query, key, value, strip, first)


def _backward(ctx, d_mixed: Tensor):
    learns = ctx.needs_input_grad[3]
    *gradients, d_strip = _attend_backward(d_mixed, *ctx.saved_tensors, ctx.extra_logit, learns)
    return *gradients, d_strip if learns else None, None, None


_attend.register_autograd(_backward, setup_context=_save)


@register_flop_formula(torch.ops.glam.blocked_attention)
def _flops(query_shape, key_shape, *_, **__) -> int:
    """Of all pairs of the row, as this project counts attention, though most that lie ahead are left out."""
    num_rows, num_heads, num_queries, head_dim = query_shape
    return 4 * num_rows * num_heads * num_queries * key_shape[2] * head_dim


@register_flop_formula(torch.ops.glam.blocked_attention_backward)
def _backward_flops(d_mixed_shape, query_shape, key_shape, *_, **__) -> int:
    return 2 * _flops(query_shape, key_shape)
