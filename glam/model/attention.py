"""Causal self-attention inside documents, with T5's relative bias (published) or rotary positions.

No biases in the projections and no 1/sqrt(head_dim) at run time: the initial distribution of the query
weights holds that factor (praxis glam.py, lingvo `Attention`).
"""

# B rows, S positions, H heads, D head width, M model width
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glam.config import ModelConfig
from glam.counting import T5_BUCKETS
from glam.model.layers import Initializer

T5_MAX_DISTANCE = 128
ROPE_BASE = 10_000.0


class Attention(nn.Module):
    """Multi-head attention over [B, S, M]."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        inner = config.num_heads * config.head_dim
        self.query = nn.Parameter(torch.empty(config.model_dim, inner))
        self.key = nn.Parameter(torch.empty(config.model_dim, inner))
        self.value = nn.Parameter(torch.empty(config.model_dim, inner))
        self.out = nn.Parameter(torch.empty(inner, config.model_dim))
        if config.positions == "t5_bias":
            self.bias = nn.Parameter(torch.empty(config.num_heads, T5_BUCKETS))

    def initialize(self, name: str, init: Initializer) -> None:
        """lingvo `_AttentionWeights`; the bias as praxis RelativeBias."""
        width, heads, head_dim = self.config.model_dim, self.config.num_heads, self.config.head_dim
        init.normal(f"{name}.query", self.query, std=(width * head_dim) ** -0.5)
        init.normal(f"{name}.key", self.key, std=width**-0.5)
        init.normal(f"{name}.value", self.value, std=width**-0.5)
        init.normal(f"{name}.out", self.out, std=(heads * head_dim) ** -0.5)
        if self.config.positions == "t5_bias":
            init.normal(f"{name}.bias", self.bias, std=(heads * T5_BUCKETS) ** -0.5)

    def forward(self, x_BSM: Tensor, mask_B1SS: Tensor) -> Tensor:
        """`mask_B1SS` is 0 where a position may look and -inf where it may not."""
        query_BHSD, key_BHSD, value_BHSD = (self._heads(x_BSM @ w) for w in (self.query, self.key, self.value))
        bias = mask_B1SS
        if self.config.positions == "t5_bias":
            bias = bias + relative_bias(self.bias, x_BSM.shape[1])
        else:
            query_BHSD, key_BHSD = rotate(query_BHSD), rotate(key_BHSD)
        if self.config.extra_logit:
            # A key and a value of zeros are a logit of 0 that adds nothing to the output.
            key_BHSD, value_BHSD = F.pad(key_BHSD, (0, 0, 0, 1)), F.pad(value_BHSD, (0, 0, 0, 1))
            bias = F.pad(bias, (0, 1))
        mixed_BHSD = F.scaled_dot_product_attention(query_BHSD, key_BHSD, value_BHSD, attn_mask=bias, scale=1.0)
        return mixed_BHSD.transpose(1, 2).flatten(2) @ self.out

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.config.num_heads, self.config.head_dim)).transpose(1, 2)


def causal_mask(segment_BS: Tensor | None, length: int, *, dtype: torch.dtype) -> Tensor:
    """[B or 1, 1, S, S]: a position sees itself and what stands before it in the same segment."""
    allowed = torch.ones(length, length, dtype=torch.bool).tril()[None, None]
    if segment_BS is not None:
        allowed = allowed & (segment_BS[:, None, :, None] == segment_BS[:, None, None, :])
    return torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, -math.inf)


def relative_bias(table_HK: Tensor, length: int) -> Tensor:
    """[1, H, S, S] bias of a query at row i on a key at column j, from its distance i - j.

    The table is spread over distances first and over pairs second, so that the gradient is summed along
    diagonals instead of scattered from S x S places.
    """
    by_distance_HS = table_HK[:, _buckets(length)]
    # Row i of the result reads distances i, i-1, ..., 0, 0, ...: a strided view of the reversed distances.
    reversed_HR = F.pad(by_distance_HS.flip(-1), (0, length - 1), mode="replicate")
    rows_HSS = reversed_HR.unfold(-1, length, 1).flip(-2)
    return rows_HSS[None]


def _buckets(length: int) -> Tensor:
    """T5 bucket of each distance 0 .. length-1: 16 exact ones, then 16 logarithmic up to 128."""
    exact = T5_BUCKETS // 2
    distance = torch.arange(length)
    scaled = torch.log(distance.clamp(min=1).double() / exact) / math.log(T5_MAX_DISTANCE / exact)
    coarse = (exact + (scaled * (T5_BUCKETS - exact)).floor().long()).clamp(max=T5_BUCKETS - 1)
    return torch.where(distance < exact, distance, coarse)


def rotate(x_BHSD: Tensor) -> Tensor:
    """Rotary positions (RoFormer), counted along the row; halves of the head are the pairs."""
    length, head_dim = x_BHSD.shape[-2:]
    frequency = ROPE_BASE ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angle_SR = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    cos, sin = angle_SR.cos().to(x_BHSD.dtype), angle_SR.sin().to(x_BHSD.dtype)
    first, second = x_BHSD.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
