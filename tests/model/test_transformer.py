"""The decoder sees the past of its own document and nothing else."""

import pytest
import torch

from glam.config import ModelConfig, replace
from glam.model.attention import relative_bias
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]
MODELS = {
    "published": TOY,
    "dense_twin": dense_twin(TOY),
    "rope": replace(TOY, positions="rope"),
    "extra_logit": replace(TOY, extra_logit=True),
}


def build(config: ModelConfig, seed: int = 0) -> Transformer:
    model = Transformer(config)
    model.initialize(seed)
    return model.double().eval()


def ids(*shape: int) -> torch.Tensor:
    return torch.randint(1, TOY.vocab_size, shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", MODELS)
def test_a_later_token_changes_nothing_before_it(name: str) -> None:
    model, row = build(MODELS[name]), ids(1, 12)
    changed = row.clone()
    changed[0, 7] = (row[0, 7] + 1) % TOY.vocab_size
    before, after = model(row).logits_BSV, model(changed).logits_BSV
    assert torch.allclose(before[:, :7], after[:, :7])
    assert not torch.allclose(before[:, 7:], after[:, 7:])


@pytest.mark.parametrize("name", MODELS)
def test_packed_documents_do_not_see_each_other(name: str) -> None:
    model, first, second = build(MODELS[name]), ids(1, 5), ids(1, 7) // 2
    segment = torch.tensor([[1] * 5 + [2] * 7])
    packed = model(torch.cat((first, second), dim=1), segment).logits_BSV
    # Relative positions make a document look the same wherever it lies in the row.
    assert torch.allclose(packed[:, 5:], model(second).logits_BSV)
    assert torch.allclose(packed[:, :5], model(first).logits_BSV)


def test_extra_logit_lets_a_head_attend_to_nothing() -> None:
    plain, extra = build(TOY), build(MODELS["extra_logit"])
    row = ids(1, 6)
    assert not torch.allclose(plain(row).logits_BSV, extra(row).logits_BSV)


def test_arms_start_alike_where_they_are_alike() -> None:
    sparse, dense = build(TOY), build(dense_twin(TOY))
    shared = [name for name, tensor in dense.state_dict().items() if sparse.state_dict()[name].shape == tensor.shape]
    assert "embedding" in shared
    assert "blocks.1.feed_forward.weight_in" in shared
    for name in shared:
        assert torch.equal(sparse.state_dict()[name], dense.state_dict()[name]), name


def test_seeds_differ_and_repeat() -> None:
    assert torch.equal(build(TOY, 1).embedding, build(TOY, 1).embedding)
    assert not torch.equal(build(TOY, 1).embedding, build(TOY, 2).embedding)


def test_relative_bias_is_the_table_entry_of_each_distance() -> None:
    length = 300
    table = torch.randn(2, 32, dtype=torch.float64, requires_grad=True)
    bias = relative_bias(table, length)[0]
    # T5, arXiv:1910.10683: 16 exact buckets, then logarithmic up to distance 128, all beyond in the last.
    for distance, bucket in ((0, 0), (1, 1), (15, 15), (16, 16), (17, 16), (32, 21), (64, 26), (127, 31), (299, 31)):
        assert torch.equal(bias[:, 299, 299 - distance], table[:, bucket])
    visible = torch.ones(length, length, dtype=torch.bool).tril()
    (gradient,) = torch.autograd.grad(bias[:, visible].sum(), table)
    assert float(gradient[0, 0]) == length
    assert float(gradient[0].sum()) == length * (length + 1) / 2


def test_a_float64_router_stays_float64() -> None:
    model = build(TOY)
    out = model(ids(2, 4))
    assert out.logits_BSV.dtype == torch.float64
    assert out.routing is not None
    assert out.routing.balance_loss.dtype == torch.float64
