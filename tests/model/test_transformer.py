"""The decoder sees the past of its own document and nothing else."""

import pytest
import torch

from glam.config import ModelConfig, replace
from glam.model.attention import ATTENTION_PATHS, bias_by_distance
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]
MODELS = {
    "published": TOY,
    "dense_twin": dense_twin(TOY),
    "rope": replace(TOY, positions="rope"),
    "rope_restarting": replace(TOY, positions="rope", restart_positions=True),
    "extra_logit": replace(TOY, extra_logit=True),
    "loss_free": replace(TOY, router="top_k_loss_free"),
    "capacity": replace(TOY, router="top2_capacity"),
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
    table = torch.randn(2, 32, dtype=torch.float64)
    bias = bias_by_distance(table, 300)
    # T5, arXiv:1910.10683: 16 exact buckets, then logarithmic up to distance 128, all beyond in the last.
    for distance, bucket in ((0, 0), (1, 1), (15, 15), (16, 16), (17, 16), (32, 21), (64, 26), (127, 31), (299, 31)):
        assert torch.equal(bias[:, distance], table[:, bucket])


def test_a_float64_router_stays_float64() -> None:
    model = build(TOY)
    out = model(ids(2, 4))
    assert out.logits_BSV.dtype == torch.float64
    assert out.routing is not None
    assert out.routing.balance_loss.dtype == torch.float64


@pytest.mark.parametrize("extra_logit", [False, True])
@pytest.mark.parametrize("length", [5, 128, 200])
@pytest.mark.parametrize("learned_bias", [False, True])
def test_every_attention_path_is_the_plain_softmax_forward_and_backward(
    extra_logit: bool, length: int, learned_bias: bool
) -> None:
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    query, key, value = (random(2, 3, length, 4) for _ in range(3))
    bias = random(3, length) if learned_bias else None
    document = (torch.rand(2, length, generator=generator) < 0.03).cumsum(1)
    same = document[:, :, None] == document[:, None, :]
    place = torch.arange(length)
    distance = place[:, None] - place
    logits = query @ key.mT + (bias[:, distance.clamp(min=0)] if bias is not None else 0)
    visible = (same & (distance >= 0))[:, None]
    exponential = torch.where(visible, logits.exp(), 0)
    expected = exponential @ value / (exponential.sum(-1, keepdim=True) + (1 if extra_logit else 0))
    inputs = [each for each in (query, key, value, bias) if each is not None]
    direction = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    gradients = torch.autograd.grad((expected * direction).sum(), inputs)
    for name, path in ATTENTION_PATHS.items():
        first = same.long().argmax(dim=-1)
        if name == "flex":  # has no gradient on a CPU and refuses inputs that ask for one
            fixed = [each.detach() for each in (query, key, value)]
            bias_fixed = bias.detach() if bias is not None else None
            mixed = path(*fixed, bias_HS=bias_fixed, first_BQ=first, extra_logit=extra_logit)
            assert torch.allclose(mixed, expected, atol=1e-10)
            continue
        mixed = path(query, key, value, bias_HS=bias, first_BQ=first, extra_logit=extra_logit)
        assert torch.allclose(mixed, expected, atol=1e-10), name
        found = torch.autograd.grad((mixed * direction).sum(), inputs)
        assert all(torch.allclose(one, two, atol=1e-10) for one, two in zip(found, gradients, strict=True)), name


def test_memory_of_the_gradient_holds_no_square_of_the_row() -> None:
    """What attention keeps between forward and backward grows with the row, not with its square."""
    kept = []
    for length in (256, 512):
        query, key, value = (torch.randn(1, 2, length, 4).requires_grad_() for _ in range(3))
        bias, sizes = torch.randn(2, length).requires_grad_(), []

        def note(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            ATTENTION_PATHS["blocked"](query, key, value, bias_HS=bias)
        kept.append(sum(sizes))
    assert kept[1] <= 2.1 * kept[0]


def test_recomputing_activations_changes_no_gradient() -> None:
    gradients = []
    for recompute in (False, True):
        model = build(TOY).train()
        model.recompute_activations = recompute
        out = model(ids(2, 64))
        assert out.routing is not None
        (out.logits_BSV.square().mean() + out.routing.balance_loss).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for one, two in zip(*gradients, strict=True):
        assert one is not None
        assert torch.equal(one, two)


def test_what_can_only_be_counted_is_not_built() -> None:
    with pytest.raises(ValueError, match="positions='learned' can be counted, not built"):
        Transformer(replace(TOY, positions="learned"))


def test_bfloat16_autocast_routes_in_float32_and_learns() -> None:
    model = build(TOY).float().train()
    with torch.autocast("cpu", torch.bfloat16):
        out = model(ids(2, 64))
        assert out.routing is not None
        assert out.routing.balance_loss.dtype == torch.float32
        loss = out.logits_BSV.float().logsumexp(-1).mean()
    loss.backward()
    reference = build(TOY).float()(ids(2, 64)).logits_BSV.detach()
    assert torch.allclose(out.logits_BSV.float(), reference, atol=0.1 * float(reference.std()))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


def test_logits_of_attention_are_float32_whatever_the_precision_around_them() -> None:
    generator = torch.Generator().manual_seed(0)
    rounded = [(4 * torch.randn(1, 2, 40, 8, generator=generator)).bfloat16() for _ in range(3)]
    mixed = ATTENTION_PATHS["blocked"](*rounded)
    assert mixed.dtype == torch.bfloat16
    assert torch.equal(mixed, ATTENTION_PATHS["blocked"](*(each.float() for each in rounded)).bfloat16())
