"""Counts agree with the paper's configuration and with torch's own counter."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from glam.config import replace
from glam.counting import count
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]
BUILT = {name: model for name, model in VARIANTS.items() if model.positions != "learned"}
SMALL = {
    "toy_4e": TOY,
    "dense_twin": dense_twin(TOY),
    "as_published_dense": replace(dense_twin(TOY), moe_every=0),
    "gated_experts_every_layer_rope": replace(TOY, expert_gated=True, moe_every=1, positions="rope"),
    "extra_logit": replace(TOY, extra_logit=True),
}

# Computed from the published configurations: arXiv:2112.06905 table 4, total and active, in billions.
TABLE_4 = {
    "glam_0p1b": (0.138, 0.138),
    "glam_0p1b_64e": (1.908, 0.1523),
    "glam_1p7b": (1.676, 1.676),
    "glam_1p7b_32e": (13.96, 1.8784),
    "glam_1p7b_64e": (26.84, 1.8792),
    "glam_1p7b_128e": (52.6, 1.8807),
    "glam_1p7b_256e": (104.2, 1.8839),
    "glam_8b": (8.721, 8.721),
    "glam_8b_64e": (142.94, 9.799),
    "glam_137b": (137.7024, 137.7024),
    "glam_64b_64e": (1161.8, 96.6045),
}


@pytest.mark.parametrize("name", [*BUILT, *SMALL])
def test_parameters_are_those_of_the_model_built_without_memory(name: str) -> None:
    config = {**BUILT, **SMALL}[name]
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in Transformer(config).parameters())
    assert count(config).total_params == built


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("path", ["blocked", "fused"])
def test_flops_are_those_of_the_executed_products(name: str, path: str) -> None:
    config = replace(SMALL[name], sequence_length=32)
    model = Transformer(config)
    model.initialize(0)
    for block in model.blocks:
        block.attention.path = path
    ids = torch.randint(0, TOY.vocab_size, (2, 32))
    # torch's counter does not know the fused CPU attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = model(ids).logits_BSV
        forward = counter.get_total_flops()
        logits.sum().backward()
    expected = count(config)
    extra = 4 * config.num_layers * config.num_heads * config.head_dim if path == "fused" and config.extra_logit else 0
    assert forward == ids.numel() * (expected.forward_flops_per_token + extra), "the fused path multiplies one more key"
    if path == "blocked":
        assert counter.get_total_flops() == ids.numel() * expected.training_flops_per_token


@pytest.mark.parametrize("name", TABLE_4)
def test_published_sizes_are_met_to_every_given_digit(name: str) -> None:
    counts = count(VARIANTS[name])
    for found, expected in zip((counts.total_params, counts.active_params), TABLE_4[name], strict=True):
        digits = len(str(expected).split(".")[1])
        assert round(found / 1e9, digits) == expected


def test_the_137b_row_is_met_to_the_unit() -> None:
    # lingvo's comment on DenseLm128B8x8; GLaM (arXiv:2112.06905) table 4 calls it 137B.
    assert count(VARIANTS["glam_137b"]).total_params == 137_702_416_384


def test_gpt3_is_counted_to_a_thousandth() -> None:
    assert count(VARIANTS["gpt3_175b"]).total_params == pytest.approx(174.6e9, rel=1e-3)


@pytest.mark.parametrize("millions", [1, 4, 16, 60])
def test_the_ladder_is_of_the_size_in_its_name(millions: int) -> None:
    for name in (f"ladder_{millions}m", f"ladder_{millions}m_8e"):
        model = VARIANTS[name]
        outside = model.vocab_size * model.model_dim
        assert (count(model).active_params - outside) / 1e6 == pytest.approx(millions, rel=0.25)


def test_the_breakdown_sums_to_the_whole_and_weights_are_bytes() -> None:
    row = count(TOY).as_row()
    for pass_ in ("forward", "training"):
        parts = [
            row[f"{pass_}_{part}_flops_per_token"] for part in ("attention", "dense", "expert", "router", "logits")
        ]
        assert sum(parts) == row[f"{pass_}_flops_per_token"]
    assert row["weight_bytes_float32"] == 4 * row["total_params"] == 2 * row["weight_bytes_bfloat16"]


def test_dense_twin_differs_by_the_router_alone() -> None:
    sparse, dense = (count(model) for model in (TOY, dense_twin(TOY)))
    assert sparse.forward_flops_per_token - dense.forward_flops_per_token == sparse.router_flops
