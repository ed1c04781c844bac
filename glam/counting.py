"""Parameters and FLOPs of a ModelConfig, by arithmetic alone.

Accounting: attention 4 * M * (heads * head_dim) without biases; a feed-forward has two matrices, three
when gated; the router is M * E; one tied embedding V * M. Looking a token up costs nothing, the tied
output product costs 2 * V * M. Attention counts every position of the row, as the products executed do.
Source of the accounting: GLaM (arXiv:2112.06905) table 4, reproduced to the digit (docs/model.md).
"""

from dataclasses import dataclass

from glam.config import ModelConfig

T5_BUCKETS = 32
"""Relative-position buckets of one head (T5, arXiv:1910.10683; praxis attentions.RelativeBias)."""
BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class Counts:
    """What a model weighs and what a token costs."""

    total_params: int
    active_params: int
    """Parameters that take part in one token: `top_k` of the experts, all of the rest."""
    expert_params: int
    """Of all experts of all mixture layers."""
    attention_flops: int
    dense_flops: int
    expert_flops: int
    router_flops: int
    logits_flops: int

    @property
    def forward_flops_per_token(self) -> int:
        return self.attention_flops + self.dense_flops + self.expert_flops + self.router_flops + self.logits_flops

    @property
    def training_flops_per_token(self) -> int:
        """Forward once, backward twice its cost."""
        return 3 * self.forward_flops_per_token

    def as_row(self) -> dict[str, int]:
        """All of it by flat names; FLOPs per token, weights in bytes."""
        parts = ("attention", "dense", "expert", "router", "logits")
        return {
            "total_params": self.total_params,
            "active_params": self.active_params,
            "forward_flops_per_token": self.forward_flops_per_token,
            "training_flops_per_token": self.training_flops_per_token,
            **{f"forward_{part}_flops_per_token": getattr(self, f"{part}_flops") for part in parts},
            **{f"training_{part}_flops_per_token": 3 * getattr(self, f"{part}_flops") for part in parts},
            **{f"weight_bytes_{dtype}": size * self.total_params for dtype, size in BYTES.items()},
        }


def count(model: ModelConfig) -> Counts:
    """Counts of a model whose tokens sit in rows of its `sequence_length`."""
    width = model.model_dim
    inner = model.num_heads * model.head_dim
    num_mixture = model.num_mixture_layers
    num_dense = model.num_layers - num_mixture
    attention = 4 * width * inner
    dense = (3 if model.dense_gated else 2) * width * model.hidden_dim
    expert = (3 if model.expert_gated else 2) * width * model.expert_hidden_dim
    router = width * model.num_experts if model.num_experts > 1 else 0
    bias = T5_BUCKETS * model.num_heads if model.positions == "t5_bias" else 0
    everywhere = model.num_layers * (attention + bias + 2 * width) + num_dense * dense
    everywhere += num_mixture * router + width + model.vocab_size * width
    everywhere += model.sequence_length * width if model.positions == "learned" else 0
    return Counts(
        total_params=everywhere + num_mixture * model.num_experts * expert,
        active_params=everywhere + num_mixture * model.top_k * expert,
        expert_params=num_mixture * model.num_experts * expert,
        attention_flops=model.num_layers * (2 * attention + 4 * model.sequence_length * inner),
        dense_flops=num_dense * 2 * dense,
        expert_flops=num_mixture * model.top_k * 2 * expert,
        router_flops=num_mixture * 2 * router,
        logits_flops=2 * model.vocab_size * width,
    )


def forward_flops_at(model: ModelConfig, positions: float) -> float:
    """Forward FLOPs of one token that attends to so many positions, its own included, as generation with a cache does.

    `count` lets every token attend to a whole row of `sequence_length`.
    """
    of_a_position = 4 * model.num_layers * model.num_heads * model.head_dim
    return count(model).forward_flops_per_token + of_a_position * (positions - model.sequence_length)
