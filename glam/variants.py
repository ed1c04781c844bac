"""VARIANTS: model sizes by name. `glam_*` are table 4 of GLaM, `gpt3_175b` and `glm_130b` dense models beside it,
`ladder_*` pairs for a laptop, `toy_*` for tests.

Table 4 (arXiv:2112.06905) holds with a vocabulary of 32,000 for every row but 64B/64E, whose 96.6 B active
parameters need the 256,000 of the text (docs/model.md).
"""

from glam.config import ModelConfig, replace


def _glam(
    num_layers: int, model_dim: int, hidden_dim: int, num_heads: int, head_dim: int, *, vocab_size: int = 32_000
) -> ModelConfig:
    """A dense row of table 4, gated throughout; the extra logit as in praxis and lingvo."""
    return ModelConfig(
        vocab_size=vocab_size,
        sequence_length=1024,
        num_layers=num_layers,
        model_dim=model_dim,
        hidden_dim=hidden_dim,
        num_heads=num_heads,
        head_dim=head_dim,
        moe_every=0,
        extra_logit=True,
    )


def _sparse(dense: ModelConfig, num_experts: int, **changes: object) -> ModelConfig:
    """The same with every other layer a mixture of experts, two of them active."""
    return replace(dense, moe_every=2, num_experts=num_experts, top_k=2, **changes)


def _mixture_as_published(dense: ModelConfig, num_experts: int) -> ModelConfig:
    return _sparse(dense, num_experts, router="top2_capacity")


def _ladder(num_layers: int, model_dim: int, num_heads: int) -> ModelConfig:
    return ModelConfig(
        vocab_size=4096,
        sequence_length=256,
        num_layers=num_layers,
        model_dim=model_dim,
        num_heads=num_heads,
        head_dim=model_dim // num_heads,
        hidden_dim=4 * model_dim,
        moe_every=0,
    )


_GLAM_0P1B = _glam(12, 768, 3_072, 12, 64)
_GLAM_1P7B = _glam(24, 2_048, 8_192, 16, 128)
_GLAM_8B = _glam(32, 4_096, 16_384, 32, 128)
_LADDER_1M = _ladder(4, 128, 4)
_LADDER_4M = _ladder(4, 256, 8)
_LADDER_16M = _ladder(6, 384, 6)
_LADDER_60M = _ladder(12, 512, 8)

_TOY = ModelConfig(
    vocab_size=512,
    sequence_length=64,
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
    "ladder_1m": _LADDER_1M,
    "ladder_1m_8e": _sparse(_LADDER_1M, 8),
    "ladder_1m_32e": _sparse(_LADDER_1M, 32),
    "ladder_4m": _LADDER_4M,
    "ladder_4m_8e": _sparse(_LADDER_4M, 8),
    "ladder_4m_32e": _sparse(_LADDER_4M, 32),
    "ladder_16m": _LADDER_16M,
    "ladder_16m_8e": _sparse(_LADDER_16M, 8),
    "ladder_16m_32e": _sparse(_LADDER_16M, 32),
    "ladder_60m": _LADDER_60M,
    "ladder_60m_8e": _sparse(_LADDER_60M, 8),
    "glam_0p1b": _GLAM_0P1B,
    "glam_0p1b_64e": _mixture_as_published(_GLAM_0P1B, 64),
    "glam_1p7b": _GLAM_1P7B,
    "glam_1p7b_32e": _mixture_as_published(_GLAM_1P7B, 32),
    "glam_1p7b_64e": _mixture_as_published(_GLAM_1P7B, 64),
    "glam_1p7b_128e": _mixture_as_published(_GLAM_1P7B, 128),
    "glam_1p7b_256e": _mixture_as_published(_GLAM_1P7B, 256),
    "glam_8b": _GLAM_8B,
    "glam_8b_64e": _mixture_as_published(_GLAM_8B, 64),
    "glam_137b": _glam(64, 8_192, 65_536, 128, 128),
    "glam_64b_64e": _mixture_as_published(_glam(64, 8_192, 32_768, 128, 128, vocab_size=256_000), 64),
    # Counted, not built: its biases and layer norms (0.01 % of it) are left out (arXiv:2005.14165, table 2.1).
    "gpt3_175b": ModelConfig(
        vocab_size=50_257,
        sequence_length=2048,
        num_layers=96,
        model_dim=12_288,
        num_heads=96,
        head_dim=128,
        hidden_dim=49_152,
        dense_gated=False,
        moe_every=0,
        positions="learned",
    ),
    # Counted, not built: it is a prefix model with DeepNorm after each block, and its biases are left out; see
    # arXiv:2210.02414, table 11. Gated GELU, and the vocabulary as padded in its code.
    "glm_130b": ModelConfig(
        vocab_size=150_528,
        sequence_length=2048,
        num_layers=70,
        model_dim=12_288,
        num_heads=96,
        head_dim=128,
        hidden_dim=32_768,
        moe_every=0,
        positions="rope",
    ),
}


def variant(name: str) -> ModelConfig:
    """The model of that name. Raises ValueError listing what exists."""
    if name not in VARIANTS:
        raise ValueError(f"unknown variant {name!r}; known: {', '.join(VARIANTS)}")
    return VARIANTS[name]
