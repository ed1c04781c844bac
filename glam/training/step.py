"""One optimizer step: forward, backward, exchange, clip, update. Logging and saving live in the loop."""

# B rows of this worker, S positions, L mixture layers, E experts
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from glam.config import TrainConfig
from glam.model.likelihood import check_ids
from glam.model.transformer import RoutingSummary, Transformer
from glam.training.parallel import DataParallel


@dataclass(frozen=True)
class StepResult:
    """Means over the global batch; loss is cross-entropy alone, in nats per token."""

    loss: float
    grad_norm: float
    """Before clipping."""
    applied: bool
    """False when loss or gradients were not finite: then the step changed nothing."""
    balance_loss: float | None = None
    z_loss: float | None = None
    load_imbalance: float | None = None
    router_entropy: float | None = None
    dropped_fraction: float | None = None


def train_step(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    rows: np.ndarray,
    config: TrainConfig,
    *,
    end_of_text: int,
    group: DataParallel,
    first_row: int = 0,
    micro_batch_size: int | None = None,
) -> StepResult:
    """Takes this worker's rows of the batch ([B, S + 1] ids) and makes one step with all workers.

    `first_row` numbers the first of them over the whole training, which decides a router's random choices. Raises
    ValueError for ids outside the vocabulary.
    """
    check_ids(rows, model.config.vocab_size)
    model.train()
    pieces = np.array_split(rows, -(-len(rows) // (micro_batch_size or len(rows))))
    sums: Tensor | None = None
    load_LE: Tensor | None = None
    for piece in pieces:
        share = len(piece) / len(rows)
        inputs_BS, targets_BS, segment_BS = unpack(piece, end_of_text)
        row_key_B = torch.arange(first_row, first_row + len(piece))
        first_row += len(piece)
        with torch.autocast(inputs_BS.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            output = model(inputs_BS, segment_BS, row_key_B)
            loss = F.cross_entropy(output.logits_BSV.flatten(0, 1), targets_BS.flatten())
        (share * objective(loss, output.routing, config)).backward()
        values = share * _reported(loss, output.routing)
        sums = values if sums is None else sums + values
        if output.routing is not None:
            load_LE = output.routing.load_LE if load_LE is None else load_LE + output.routing.load_LE
    group.average_gradients(model)
    grad_norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
    assert sums is not None, "a worker's share of the batch is never empty"
    means = group.average(sums).tolist()
    applied = bool(np.isfinite(means[0]) and torch.isfinite(grad_norm))
    if applied:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if load_LE is None:
        return StepResult(loss=means[0], grad_norm=float(grad_norm), applied=applied)
    load = group.sum(load_LE.double())
    if applied and model.config.router == "top_k_loss_free":
        model.adjust_router_bias(load)
    return StepResult(
        loss=means[0],
        grad_norm=float(grad_norm),
        applied=applied,
        balance_loss=means[1],
        z_loss=means[2],
        router_entropy=means[3],
        dropped_fraction=means[4],
        load_imbalance=float((load.max(dim=1).values / load.mean(dim=1)).mean()),
    )


def objective(loss: Tensor, routing: RoutingSummary | None, config: TrainConfig) -> Tensor:
    """What is minimised: cross-entropy plus the weighted balance and z-losses (means over mixture layers)."""
    if routing is None:
        return loss
    return loss + config.balance_weight * routing.balance_loss + config.z_loss_weight * routing.z_loss


def unpack(rows: np.ndarray, end_of_text: int) -> tuple[Tensor, Tensor, Tensor]:
    """(inputs, targets, segments), each [B, S], of packed rows of S + 1 ids; a segment starts at each end-of-text."""
    ids = torch.from_numpy(np.ascontiguousarray(rows))
    inputs_BS = ids[:, :-1]
    return inputs_BS, ids[:, 1:], (inputs_BS == end_of_text).cumsum(dim=1)


def _reported(loss: Tensor, routing: RoutingSummary | None) -> Tensor:
    if routing is None:
        return loss.detach()[None].double()
    parts = (loss, routing.balance_loss, routing.z_loss, routing.entropy, routing.dropped_fraction)
    return torch.stack([part.detach().double() for part in parts])
