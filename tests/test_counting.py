"""Counts agree with the paper's configuration and with torch's own counter."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from glam.config import ModelConfig, replace
from glam.counting import count
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]
MODELS = {
    **VARIANTS,
    "dense_twin": dense_twin(TOY),
    "as_published_dense": replace(dense_twin(TOY), moe_every=0),
    "gated_experts_every_layer_rope": replace(TOY, expert_gated=True, moe_every=1, positions="rope"),
}


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_those_of_the_built_model(name: str) -> None:
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in Transformer(MODELS[name]).parameters())
    assert count(MODELS[name], sequence_length=16).total_params == built


@pytest.mark.parametrize("name", [name for name in MODELS if "ladder" not in name])
def test_flops_are_those_of_the_executed_products(name: str) -> None:
    model = Transformer(MODELS[name])
    model.initialize(0)
    ids = torch.randint(0, TOY.vocab_size, (2, 16))
    # torch's counter does not know the fused CPU attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(ids)
    assert counter.get_total_flops() == ids.numel() * count(MODELS[name], sequence_length=16).forward_flops_per_token


def test_published_64b_64e_and_137b_are_met_to_the_digit() -> None:
    big = ModelConfig(
        vocab_size=256_000,
        num_layers=64,
        model_dim=8192,
        num_heads=128,
        head_dim=128,
        hidden_dim=32_768,
        num_experts=64,
        top_k=2,
    )
    dense = replace(big, vocab_size=32_000, hidden_dim=65_536, num_experts=1, top_k=1, moe_every=0)
    assert round(count(big, sequence_length=1024).active_params / 1e9, 2) == 96.60
    # lingvo's comment on DenseLm128B8x8; GLaM (arXiv:2112.06905) table 4 calls it 137B.
    assert count(dense, sequence_length=1024).total_params == 137_702_416_384


def test_dense_twin_differs_by_the_router_alone() -> None:
    sparse, dense = (count(model, sequence_length=64) for model in (TOY, dense_twin(TOY)))
    assert sparse.forward_flops_per_token - dense.forward_flops_per_token == sparse.router_flops
