"""The same contestants from transformers: Mixtral for a sparse model, Llama for its dense twin.

Their shape is that of our configuration: rotary positions, gated SiLU, RMSNorm, no biases, as many key as query heads,
tied embeddings. Weights are theirs at the start.
"""

from collections.abc import Mapping
from importlib import import_module
from itertools import cycle
from typing import Any

import torch
import torch.nn.functional as F

from glam.bench.model.ours import NUM_BATCHES, Call, check_flops, forward_backward, random_rows, train_config
from glam.config import ModelConfig

# Any: types are checked where the extra is not installed too.
transformers: Any = import_module("transformers")
mixtral: Any = import_module("transformers.models.mixtral.modeling_mixtral")
llama: Any = import_module("transformers.models.llama.modeling_llama")

INITIAL_STD = 0.02
"""initializer_range of both."""


def layer(config: Mapping[str, Any], num_rows: int, experts: str) -> Call:
    """Forward and backward of their mixture layer."""
    model = ModelConfig.model_validate(config)
    torch.manual_seed(0)
    made = mixtral.MixtralSparseMoeBlock(peer_config(model, experts))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=INITIAL_STD)
    return forward_backward(made, made, model, num_rows)


def step(config: Mapping[str, Any], num_rows: int, experts: str = "eager") -> Call:
    """One optimizer step, as `glam.training.step` does it: mean cross-entropy, clipping, AdamW."""
    ours = ModelConfig.model_validate(config)
    model = build(ours, experts)
    if ours.num_experts > 1:
        model.set_experts_implementation("eager")  # made of products that torch's counter knows
    check_flops(lambda ids_BS: model(ids_BS, use_cache=False), ours)
    if ours.num_experts > 1:
        model.set_experts_implementation(experts)
    train = train_config(num_rows)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=train.learning_rate,
        betas=(train.beta1, train.beta2),
        weight_decay=train.weight_decay,
        fused=True,
    )
    batches = cycle([torch.from_numpy(random_rows(ours, num_rows, seed=seed)) for seed in range(NUM_BATCHES)])
    model.train()

    def call() -> float:
        rows = next(batches)
        logits = model(rows[:, :-1], use_cache=False).logits
        loss = F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), train.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return call


def generation(config: Mapping[str, Any], num_prompts: int, prompt_tokens: int, new_tokens: int, experts: str) -> Call:
    """Greedy continuations by `generate`, with its cache, none ended early."""
    ours = ModelConfig.model_validate(config)
    model = build(ours, experts).eval()
    prompts = torch.from_numpy(random_rows(ours, num_prompts)[:, :prompt_tokens])
    seen = torch.ones_like(prompts)

    def call() -> None:
        made = model.generate(prompts, attention_mask=seen, max_new_tokens=new_tokens, do_sample=False)
        assert made.shape[1] == prompt_tokens + new_tokens, f"{tuple(made.shape)}: ended early"

    return call


def build(config: ModelConfig, experts: str = "eager") -> Any:
    """Their model of our shape, with their initial weights."""
    torch.manual_seed(0)
    kind = llama.LlamaForCausalLM if config.num_experts == 1 else mixtral.MixtralForCausalLM
    return kind(peer_config(config, experts))


def peer_config(config: ModelConfig, experts: str) -> Any:
    """Their configuration of our model, which has nothing but mixture layers, or the experts' dense twin throughout.

    Raises ValueError for one that theirs cannot express.
    """
    expressible = config.positions == "rope" and config.moe_every == 1 and not config.extra_logit
    if not (expressible and config.expert_gated and config.expert_activation == "silu"):
        raise ValueError("the peer has rotary positions and gated SiLU experts in every layer, nothing else")
    shape = {
        "vocab_size": config.vocab_size,
        "hidden_size": config.model_dim,
        "intermediate_size": config.expert_hidden_dim,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.sequence_length,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "attn_implementation": "sdpa",
    }
    if config.num_experts == 1:
        return transformers.LlamaConfig(**shape)
    return transformers.MixtralConfig(
        **shape,
        num_local_experts=config.num_experts,
        num_experts_per_tok=config.top_k,
        experts_implementation=experts,
    )
