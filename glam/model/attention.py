"""Causal self-attention inside documents, with T5's relative bias (published) or rotary positions.

No biases in the projections and no 1/sqrt(head_dim) at run time: the initial distribution of the query
weights holds that factor (praxis glam.py, lingvo `Attention`).
"""

# B rows, S positions, Q the last of them, H heads, D head width, M model width
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import flex_attention as flex

from glam.config import ModelConfig
from glam.counting import T5_BUCKETS
from glam.model.blocked_attention import blocked_attention
from glam.model.cache import LayerCache
from glam.model.layers import Initializer
from glam.model.prefix_tree import Tree

T5_MAX_DISTANCE = 128
ROPE_BASE = 10_000.0
QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class Piece:
    """A tree of the batch: its places, and what they see of each other."""

    places: slice
    first_row: int
    """How many of them, from the first on, are one row."""
    visible_RN: Tensor | None
    """What the places after the first row see; None: there are none."""
    distance_RN: Tensor | None
    """How many places back each key is on the path of each of them, -1 where it is not seen; for a learned bias."""

    @classmethod
    def of(cls, tree: Tree, start: int, *, biased: bool, device: torch.device) -> "Piece":
        """The tree whose first id stands at `start`."""
        visible_NN, first = tree.visible_NN, tree.branches[0].length
        visible_RN, distance_RN = None if visible_NN is None else visible_NN[first:], None
        if visible_RN is not None and biased:
            distance_RN = torch.where(visible_RN, tree.depth_N[first:, None] - tree.depth_N, -1).to(device)
        return cls(
            slice(start, start + len(tree.ids)),
            first,
            None if visible_RN is None else visible_RN.to(device),
            distance_RN,
        )


@dataclass(frozen=True)
class Sight:
    """What the positions of one pass see, the same in every layer."""

    first_BQ: Tensor | None
    """The first position that each query sees; None: the first of the row."""
    rotation: tuple[Tensor, Tensor] | None
    """(cos, sin) of the queries' positions, [Q or B x 1 x Q, D / 2]; None without rotary positions."""
    pieces: tuple[Piece, ...] | None = None
    """Of a batch of trees, which is one row; None: rows."""


class Attention(nn.Module):
    """Multi-head attention over [B, S, M]."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.path: str | None = None
        """A key of ATTENTION_PATHS; None: blocked on a CPU, fused elsewhere."""
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

    def forward(self, x_BQM: Tensor, sight: Sight, cache: LayerCache | None = None) -> Tensor:
        """Of the positions `x_BQM`, which go on from those in `cache` where one is given; one for trees is empty."""
        query_BHQD, key_BHSD, value_BHSD = (self._heads(x_BQM @ w) for w in (self.query, self.key, self.value))
        if sight.rotation is not None:
            query_BHQD, key_BHSD = rotate(query_BHQD, *sight.rotation), rotate(key_BHSD, *sight.rotation)
        if sight.pieces is not None:
            if cache is not None:
                cache.extend(key_BHSD, value_BHSD)
            mixed_BHQD = self._of_trees(query_BHQD, key_BHSD, value_BHSD, sight.pieces)
            return mixed_BHQD.transpose(1, 2).flatten(2) @ self.out
        path = self.path or ("blocked" if x_BQM.device.type == "cpu" else "fused")
        if cache is not None:
            key_BHSD, value_BHSD = cache.extend(key_BHSD, value_BHSD)
            path = "fused"
        mixed_BHQD = ATTENTION_PATHS[path](
            query_BHQD,
            key_BHSD,
            value_BHSD,
            bias_HS=bias_by_distance(self.bias, key_BHSD.shape[2]) if self.config.positions == "t5_bias" else None,
            first_BQ=sight.first_BQ,
            extra_logit=self.config.extra_logit,
        )
        return mixed_BHQD.transpose(1, 2).flatten(2) @ self.out

    def _of_trees(self, query: Tensor, key: Tensor, value: Tensor, pieces: Sequence[Piece]) -> Tensor:
        bias_HS = None
        if self.config.positions == "t5_bias":
            bias_HS = bias_by_distance(self.bias, max(piece.places.stop - piece.places.start for piece in pieces))
        mixed = torch.empty_like(query)
        for piece in pieces:
            one = (..., piece.places, slice(None))
            mixed[one] = self._of_tree(query[one], key[one], value[one], piece, bias_HS)
        return mixed

    def _of_tree(self, query: Tensor, key: Tensor, value: Tensor, piece: Piece, bias_HS: Tensor | None) -> Tensor:
        """The first row, which holds what all share, as a row: half of its pairs are not computed."""
        shared, rest = (..., slice(piece.first_row), slice(None)), (..., slice(piece.first_row, None), slice(None))
        attend = blocked_attention if query.device.type == "cpu" else fused_in_pieces
        extra_logit = self.config.extra_logit
        own_HS = None if bias_HS is None else bias_HS[:, : piece.first_row]
        begun = attend(query[shared], key[shared], value[shared], bias_HS=own_HS, extra_logit=extra_logit)
        mask = piece.visible_RN
        if mask is None:
            return begun
        if bias_HS is not None:
            # One more column for what is not seen, -1 from the end.
            mask = F.pad(bias_HS, (0, 1), value=-math.inf)[None, :, piece.distance_RN].to(query.dtype)
        if extra_logit:
            key, value = F.pad(key, (0, 0, 0, 1)), F.pad(value, (0, 0, 0, 1))
            mask = F.pad(mask, (0, 1), value=True if mask.dtype == torch.bool else 0)
        others = F.scaled_dot_product_attention(query[rest], key, value, attn_mask=mask, scale=1.0)
        return torch.cat([begun, others], dim=-2)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.config.num_heads, self.config.head_dim)).transpose(1, 2)


def fused_attention(
    query_BHQD: Tensor,
    key_BHSD: Tensor,
    value_BHSD: Tensor,
    *,
    bias_HS: Tensor | None = None,
    first_BQ: Tensor | None = None,
    extra_logit: bool = False,
) -> Tensor:
    """torch's scaled_dot_product_attention with everything in one mask; the queries are the last of the positions."""
    num_queries, length = query_BHQD.shape[2], key_BHSD.shape[2]
    # A single query, the last position, has nothing ahead of it.
    mask = (
        _hidden_pairs(num_queries, length, first_BQ, like=query_BHQD)
        if num_queries > 1 or first_BQ is not None
        else None
    )
    if bias_HS is not None:
        bias = _bias_of_pairs(bias_HS, num_queries).to(query_BHQD.dtype)
        mask = bias[None] if mask is None else bias + mask
    if extra_logit:
        # A key and a value of zeros are a logit of 0 that adds nothing to the output.
        key_BHSD, value_BHSD = F.pad(key_BHSD, (0, 0, 0, 1)), F.pad(value_BHSD, (0, 0, 0, 1))
        mask = F.pad(mask, (0, 1)) if mask is not None else None
    return F.scaled_dot_product_attention(query_BHQD, key_BHSD, value_BHSD, attn_mask=mask, scale=1.0)


def fused_in_pieces(
    query_BHSD: Tensor,
    key_BHSD: Tensor,
    value_BHSD: Tensor,
    *,
    bias_HS: Tensor | None = None,
    extra_logit: bool = False,
    queries_at_once: int = QUERIES_AT_ONCE,
) -> Tensor:
    """`fused_attention` of whole rows, so many queries at a time: a mask of all pairs would fill the memory."""
    mixed = []
    for start in range(0, query_BHSD.shape[2], queries_at_once):
        seen = slice(0, start + queries_at_once)
        mixed.append(
            fused_attention(
                query_BHSD[:, :, start : seen.stop],
                key_BHSD[:, :, seen],
                value_BHSD[:, :, seen],
                bias_HS=None if bias_HS is None else bias_HS[:, seen],
                extra_logit=extra_logit,
            )
        )
    return torch.cat(mixed, dim=2)


def _hidden_pairs(num_queries: int, length: int, first_BQ: Tensor | None, like: Tensor) -> Tensor:
    """[1 or B, 1, Q, S]: -inf where a key is ahead of a query or before the first it sees, else 0."""
    key_S = torch.arange(length, device=like.device)
    hidden = (key_S > key_S[length - num_queries :, None])[None, None]
    if first_BQ is not None:
        hidden = hidden | (key_S < first_BQ[:, None, :, None])
    return torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, -math.inf)


def flex_attention(
    query_BHSD: Tensor,
    key_BHSD: Tensor,
    value_BHSD: Tensor,
    *,
    bias_HS: Tensor | None = None,
    first_BQ: Tensor | None = None,
    extra_logit: bool = False,
) -> Tensor:
    """torch's flex_attention, which compiles the mask into its kernel on a GPU. Not tried on a GPU."""
    num_rows, _, length, _ = query_BHSD.shape

    def visible(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = key <= query
        return seen if first_BQ is None else seen & (key >= first_BQ[row, query])

    def biased(score: Tensor, _row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return score if bias_HS is None else score + bias_HS[head, (query - key).clamp(min=0)]

    mask = flex.create_block_mask(visible, num_rows, None, length, length, device=query_BHSD.device.type)
    attend = torch.compile(flex.flex_attention) if query_BHSD.is_cuda else flex.flex_attention
    mixed, auxiliary = attend(
        query_BHSD,
        key_BHSD,
        value_BHSD,
        score_mod=biased,
        block_mask=mask,
        scale=1.0,
        return_aux=flex.AuxRequest(lse=True),
    )
    if not extra_logit:
        return mixed
    assert auxiliary.lse is not None
    # One more logit of 0 in the denominator: sum / (sum + 1) of what there was.
    return mixed * auxiliary.lse.sigmoid()[..., None].to(mixed.dtype)


ATTENTION_PATHS: Mapping[str, Callable[..., Tensor]] = {
    "blocked": blocked_attention,
    "fused": fused_attention,
    "flex": flex_attention,
}


def bias_by_distance(table_HK: Tensor, length: int) -> Tensor:
    """[H, S]: T5's bias of a key so many positions back.

    Spread over distances first and over pairs later, so that the gradient is summed along diagonals
    instead of scattered from S x S places.
    """
    return table_HK[:, _buckets(length, table_HK.device)]


def _bias_of_pairs(bias_HS: Tensor, num_queries: int) -> Tensor:
    """[H, Q, S]: by query and key; what lies ahead of a query is to be hidden by the caller."""
    # Row i of the result reads distances i, i-1, ..., 0, 0, ...: a strided view of the reversed distances.
    length = bias_HS.shape[1]
    reversed_HR = F.pad(bias_HS.flip(-1), (0, num_queries - 1))
    return reversed_HR.unfold(-1, length, 1).flip(-2)


def _buckets(length: int, device: torch.device) -> Tensor:
    """T5 bucket of each distance 0 .. length-1: 16 exact ones, then 16 logarithmic up to 128."""
    exact = T5_BUCKETS // 2
    distance = torch.arange(length, device=device)
    scaled = torch.log(distance.clamp(min=1).double() / exact) / math.log(T5_MAX_DISTANCE / exact)
    coarse = (exact + (scaled * (T5_BUCKETS - exact)).floor().long()).clamp(max=T5_BUCKETS - 1)
    return torch.where(distance < exact, distance, coarse)


def rotation(position_Q: Tensor, head_dim: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(cos, sin), [..., D / 2], of positions in a row (RoFormer, arXiv:2104.09864)."""
    frequency = ROPE_BASE ** (-torch.arange(0, head_dim, 2, dtype=torch.float64, device=position_Q.device) / head_dim)
    angle = position_Q.double()[..., None] * frequency
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x_BHQD: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Each pair (d, d + D / 2) of a head turned by the angle of its position."""
    first, second = x_BHQD.chunk(2, dim=-1)
    turned = torch.addcmul(first * cos, second, sin, value=-1), torch.addcmul(second * cos, first, sin)
    return torch.cat(turned, dim=-1)
