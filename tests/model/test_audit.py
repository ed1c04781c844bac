"""The audit tells what a capacity limit costs, and evaluation itself never pays it."""

import pytest
import torch

from glam.config import replace
from glam.model.audit import capacity_audit
from glam.model.likelihood import score_rows
from glam.model.transformer import Transformer
from glam.study import dense_twin
from glam.variants import VARIANTS

TOY = VARIANTS["toy_4e"]


def build(**changes: object) -> Transformer:
    model = Transformer(replace(TOY, **changes))
    model.initialize(0)
    return model.double()


def rows() -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(1, 512, (length,), generator=generator).tolist() for length in (65, 33, 65, 9)]


@pytest.mark.parametrize("router", ["top_k_dropless", "top2_capacity", "top_k_loss_free"])
def test_without_a_tight_limit_there_is_no_gap_and_with_one_tokens_are_dropped(router: str) -> None:
    model = build(router=router)
    wide, tight = (capacity_audit(model, rows(), capacity_factor=factor) for factor in (8.0, 0.25))
    assert wide.dropped_fractions == (0.0,)
    assert wide.gap == pytest.approx(0, abs=1e-12)
    assert tight.dropped_fractions[0] > 0.2
    assert tight.gap != 0
    assert tight.num_tokens == 64 + 32 + 64 + 8


def test_its_dropless_loss_is_that_of_evaluation() -> None:
    model = build(router="top2_capacity", capacity_factor=0.25)
    audit = capacity_audit(model, rows(), capacity_factor=0.25)
    nll = [scores.nll for scores in score_rows(model, rows())]
    assert audit.dropless_loss == pytest.approx(sum(map(float, (each.sum() for each in nll))) / audit.num_tokens)


def test_a_dense_model_has_nothing_to_audit() -> None:
    model = Transformer(dense_twin(TOY))
    with pytest.raises(ValueError, match="dense"):
        capacity_audit(model, rows(), capacity_factor=1.0)
