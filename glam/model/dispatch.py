"""Tokens to the rows of their experts and back: what an exchange between devices fits between."""

# N tokens, K choices, R = N * K rows sorted by expert, E experts, M model width
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from glam.model.routing import rows_of_experts


@dataclass(frozen=True)
class Dispatch:
    """Where each choice lies among the sorted rows."""

    token_R: Tensor
    """The token of each row."""
    row_NK: Tensor
    """The row of each choice."""
    counts_E: Tensor
    """Rows of each expert; rows beyond their sum were dropped."""


def dispatch(x_NM: Tensor, expert_NK: Tensor, num_experts: int) -> tuple[Tensor, Dispatch]:
    """A row for each choice, sorted by expert; choices that were dropped (expert E) lie at the end."""
    order_R = expert_NK.flatten().argsort(stable=True)
    row_R = torch.empty_like(order_R).scatter_(0, order_R, torch.arange(len(order_R), device=order_R.device))
    counts_E = rows_of_experts(expert_NK, num_experts)
    plan = Dispatch(order_R // expert_NK.shape[1], row_R.view_as(expert_NK), counts_E)
    return _Spread.apply(x_NM, plan.token_R, plan.row_NK), plan


def combine(computed_RM: Tensor, weight_NK: Tensor, plan: Dispatch) -> Tensor:
    """Back in token order: the weighted sum over a token's choices."""
    return _WeightedSum.apply(computed_RM, weight_NK, plan.token_R, plan.row_NK)


# Both gradients gather as well: indexing would scatter and add, which is slower and, on GPUs, not reproducible.


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x_NM: Tensor, token_R: Tensor, row_NK: Tensor) -> Tensor:
        context.save_for_backward(row_NK)
        return x_NM.index_select(0, token_R)

    @staticmethod
    def backward(context: Any, d_rows_RM: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (row_NK,) = context.saved_tensors
        return _sum_of_rows(d_rows_RM, row_NK), None, None


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, rows_RM: Tensor, weight_NK: Tensor, token_R: Tensor, row_NK: Tensor) -> Tensor:
        context.save_for_backward(rows_RM, weight_NK, token_R, row_NK)
        y_NM = rows_RM.index_select(0, row_NK[:, 0]) * weight_NK[:, :1]
        for choice in range(1, row_NK.shape[1]):
            y_NM.addcmul_(rows_RM.index_select(0, row_NK[:, choice]), weight_NK[:, choice, None])
        return y_NM

    @staticmethod
    def backward(context: Any, d_y_NM: Tensor) -> tuple[Tensor, Tensor, None, None]:  # type: ignore[override]
        rows_RM, weight_NK, token_R, row_NK = context.saved_tensors
        weight_R = torch.empty_like(weight_NK.flatten()).index_copy_(0, row_NK.flatten(), weight_NK.flatten())
        spread_RM = d_y_NM.index_select(0, token_R)
        d_weight_R = (spread_RM * rows_RM).sum(dim=-1)
        return spread_RM.mul_(weight_R[:, None]), d_weight_R[row_NK], None, None


def _sum_of_rows(rows_RM: Tensor, row_NK: Tensor) -> Tensor:
    total_NM = rows_RM.index_select(0, row_NK[:, 0])
    for choice in range(1, row_NK.shape[1]):
        total_NM += rows_RM.index_select(0, row_NK[:, choice])
    return total_NM
