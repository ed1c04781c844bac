"""The model's benchmark: layers, training steps, memory and generation, ours against our dense layers and against
transformers' models of the same shape. Names of rows stay, so that two results can be compared.
"""

from collections.abc import Sequence
from typing import Any

from glam.bench.measure import Contestant
from glam.bench.rows import (
    MIB,
    Claim,
    Race,
    best_rate,
    call_bytes_per_work,
    call_mebibytes,
    peak_mebibytes,
)
from glam.config import ModelConfig, replace
from glam.counting import count
from glam.study import dense_twin
from glam.variants import VARIANTS

PEER = "transformers"
EXPERTS = ("eager", "grouped_mm", "batched_mm")
"""What transformers can compute experts with here; the fastest is raced."""
MAX_COPIED_BYTES = 4096 * MIB
"""batched_mm copies an expert's matrices for each choice of each token; above this it is left out."""

ROW_TOKENS = 256
LAYERS = (
    # tokens, width, hidden, experts; goals against our dense layer and against transformers
    (4096, 256, 1024, 16, 0.90, 1.20),
    (4096, 768, 3072, 8, 0.90, 1.05),
    (8192, 256, 1024, 64, 0.80, 1.20),
    (4096, 128, 512, 16, 0.80, 1.20),
)
STEPS = ("ladder_4m", "ladder_16m")
NUM_ROWS = 8
NUM_EXPERTS = 8
PRODUCT = {"rows": 4096, "inner": 1024, "columns": 1024}


def races() -> list[Race]:
    """All of it, in the order in which it runs."""
    return [
        *(layer_against_dense(*shape, goal=goal) for *shape, goal, _ in LAYERS),
        *(layer_against_peer(*shape, goal=goal) for *shape, _, goal in LAYERS),
        *(training_step(name, kind) for name in STEPS for kind in ("sparse", "dense")),
        *(published_attention(length, num_rows) for length, num_rows in ((256, 8), (1024, 2))),
        published_attention_memory(),
        dense_step_flops_share("ladder_16m"),
        generation(),
        training_step_memory("ladder_16m"),
    ]


def layer_against_dense(tokens: int, width: int, hidden: int, experts: int, *, goal: float) -> Race:
    """Our mixture against our dense layer of the same FLOPs per token, both ungated."""
    mixture = mixture_layer(width, hidden, experts, gated=False)
    dense = replace(
        mixture, num_experts=1, top_k=1, moe_every=0, hidden_dim=2 * hidden, dense_gated=False, dense_activation="relu"
    )
    contestants = {
        name: _ours("layer", each, tokens // ROW_TOKENS) for name, each in (("moe", mixture), ("dense", dense))
    }
    name = f"moe_layer_vs_dense/{tokens}x{width}x{hidden}x{experts}"
    return Race(contestants, (Claim(name, "tokens/s", "moe", "dense", goal),))


def layer_against_peer(tokens: int, width: int, hidden: int, experts: int, *, goal: float) -> Race:
    """Our mixture against transformers' one, both gated, under the same allocator."""
    mixture = mixture_layer(width, hidden, experts, gated=True)
    contestants = {
        "ours": _ours("layer", mixture, tokens // ROW_TOKENS),
        "peer": _peers("layer", mixture, tokens // ROW_TOKENS, our_allocator=True),
    }
    name = f"moe_layer_vs_{PEER}/{tokens}x{width}x{hidden}x{experts}"
    return Race(contestants, (Claim(name, "tokens/s", "ours", "peer", goal),))


def training_step(variant: str, kind: str) -> Race:
    """A whole step against theirs: as its user starts it, and under our allocator."""
    config = rope_gated(variant)
    config = config if kind == "sparse" else dense_twin(config)
    contestants = {
        "ours": _ours("step", config, NUM_ROWS),
        "as_started": _peers("step", config, NUM_ROWS, our_allocator=False),
        "same_allocator": _peers("step", config, NUM_ROWS, our_allocator=True),
    }
    name = f"training_step/{variant}/{kind}"
    memory = Claim(f"{name}/peak_memory", "MiB", "ours", "as_started", 1.0, peak_mebibytes, less_is_better=True)
    return Race(
        contestants,
        (
            Claim(f"{name}/as_started", "tokens/s", "ours", "as_started", 2.0),
            Claim(f"{name}/same_allocator", "tokens/s", "ours", "same_allocator", 1.15),
            memory,
        ),
    )


def published_attention(length: int, num_rows: int) -> Race:
    """What GLaM's attention costs: a step with T5's bias and the extra logit against one with rotary positions."""
    published = replace(VARIANTS["ladder_16m_8e"], sequence_length=length, positions="t5_bias", extra_logit=True)
    contestants = {
        "published": _ours("step", published, num_rows),
        "rope": _ours("step", replace(published, positions="rope", extra_logit=False), num_rows),
    }
    return Race(contestants, (Claim(f"published_attention/{length}", "tokens/s", "published", "rope", 0.85),))


def published_attention_memory(length: int = 1024) -> Race:
    """The same tokens in rows of twice the length: memory that grew with the square of a row would double."""
    short = replace(VARIANTS["ladder_16m_8e"], sequence_length=length, positions="t5_bias", extra_logit=True)
    contestants = {
        "long": _ours("step", replace(short, sequence_length=2 * length), 1),
        "short": _ours("step", short, 2),
    }
    name = "published_attention/memory_growth"
    return Race(contestants, (Claim(name, "MiB", "long", "short", 0.8, call_mebibytes, less_is_better=True),))


def dense_step_flops_share(variant: str) -> Race:
    """How much of what this machine can multiply a dense training step makes use of."""
    dense = dense_twin(rope_gated(variant))
    step_flops = count(dense).training_flops_per_token * NUM_ROWS * dense.sequence_length
    product_flops = 2 * PRODUCT["rows"] * PRODUCT["inner"] * PRODUCT["columns"]
    contestants = {
        "step": _ours("step", dense, NUM_ROWS, work=step_flops),
        "product": Contestant("glam.bench.model.ours:matrix_product", PRODUCT, work=product_flops),
    }
    name = f"dense_step_flops_share/{variant}"
    claim = Claim(name, "GFLOP/s", "step", "product", 0.55, other_measure=best_rate, scale=1e9)
    return Race(contestants, (claim,))


def generation(variant: str = "ladder_4m", num_prompts: int = 8, tokens: int = 64) -> Race:
    """Cached greedy generation from a batch of prompts, as many new tokens as a prompt has."""
    config = rope_gated(variant)
    arguments = {"config": config.model_dump(mode="json"), "num_prompts": num_prompts}
    arguments |= {"prompt_tokens": tokens, "new_tokens": tokens}
    work = num_prompts * tokens
    contestants = {
        "ours": Contestant("glam.bench.model.ours:generation", arguments, work),
        "peer": [
            Contestant(
                "glam.bench.model.peer:generation", {**arguments, "experts": experts}, work, package=PEER, label=experts
            )
            for experts in _experts_that_fit(config, num_prompts * tokens)
        ],
    }
    return Race(contestants, (Claim(f"generation/batch{num_prompts}", "tokens/s", "ours", "peer", 1.5),))


def training_step_memory(variant: str) -> Race:
    """What a token of the batch takes during a step, with and without computing activations again."""
    config = rope_gated(variant)
    contestants = {
        "recomputed": _ours("step", config, NUM_ROWS, recompute_activations=True),
        "kept": _ours("step", config, NUM_ROWS),
    }
    name = f"training_step_memory/{variant}/per_token"
    claim = Claim(name, "bytes/token", "recomputed", "kept", None, call_bytes_per_work, less_is_better=True)
    return Race(contestants, (claim,))


def mixture_layer(width: int, hidden: int, experts: int, *, gated: bool) -> ModelConfig:
    """A model of which one mixture layer is measured: ReLU without a gate, SiLU with one."""
    return ModelConfig(
        vocab_size=2,
        sequence_length=ROW_TOKENS,
        num_layers=1,
        model_dim=width,
        num_heads=1,
        head_dim=width,
        hidden_dim=hidden,
        moe_every=1,
        num_experts=experts,
        top_k=2,
        expert_gated=gated,
        expert_activation="silu" if gated else "relu",
        router="top_k_dropless",
        positions="rope",
    )


def rope_gated(variant: str) -> ModelConfig:
    """That size as transformers can build it too: a mixture in every layer, rotary positions, gated SiLU experts."""
    return replace(
        VARIANTS[variant],
        positions="rope",
        moe_every=1,
        num_experts=NUM_EXPERTS,
        top_k=2,
        expert_gated=True,
        expert_activation="silu",
    )


def _ours(
    builder: str, config: ModelConfig, num_rows: int, *, work: float | None = None, **arguments: Any
) -> Contestant:
    arguments = {"config": config.model_dump(mode="json"), "num_rows": num_rows, **arguments}
    return Contestant(f"glam.bench.model.ours:{builder}", arguments, work or num_rows * config.sequence_length)


def _peers(builder: str, config: ModelConfig, num_rows: int, *, our_allocator: bool) -> Sequence[Contestant]:
    """One for each way of computing experts; a dense model has none to choose."""
    tokens = num_rows * config.sequence_length
    arguments = {"config": config.model_dump(mode="json"), "num_rows": num_rows}
    return [
        Contestant(
            f"glam.bench.model.peer:{builder}",
            {**arguments, "experts": experts} if experts else arguments,
            tokens,
            our_allocator,
            package=PEER,
            label=experts,
        )
        for experts in (_experts_that_fit(config, tokens) if config.num_experts > 1 else ("",))
    ]


def _experts_that_fit(config: ModelConfig, tokens: int) -> list[str]:
    copied = tokens * config.top_k * 3 * config.model_dim * config.expert_hidden_dim * 4
    return [name for name in EXPERTS if name != "batched_mm" or copied <= MAX_COPIED_BYTES]
