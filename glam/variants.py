"""VARIANTS: model sizes by name. `ladder_*` are small pairs for a laptop; tests use `toy_*`.

The published sizes (GLaM table 4) differ from these in numbers alone.
"""

from glam.config import ModelConfig, replace

_LADDER_1M = ModelConfig(
    vocab_size=4096,
    num_layers=4,
    model_dim=128,
    num_heads=4,
    head_dim=32,
    hidden_dim=512,
    num_experts=8,
    top_k=2,
)

_TOY = ModelConfig(
    vocab_size=512,
    num_layers=2,
    model_dim=32,
    num_heads=2,
    head_dim=16,
    hidden_dim=64,
    num_experts=4,
    top_k=2,
)

VARIANTS: dict[str, ModelConfig] = {
    "toy_4e": _TOY,
    "ladder_1m_8e": _LADDER_1M,
    "ladder_1m_32e": replace(_LADDER_1M, num_experts=32),
}
