"""One optimizer step: forward, backward, exchange, clip, update. Logging and saving live in the loop."""

# B rows of this worker, S positions, L mixture layers, E experts
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from glam.config import TrainConfig
from glam.model.likelihood import check_ids
from glam.model.transformer import RoutingSummary, Transformer
from glam.training.parallel import ParallelGroup


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
    output_z_loss: float | None = None
    load_imbalance: float | None = None
    router_entropy: float | None = None
    dropped_fraction: float | None = None
    load_LE: Tensor | None = None
    """Choices that reached each expert."""


def train_step(
    model: Transformer,
    optimizer: torch.optim.Optimizer,
    rows: np.ndarray,
    config: TrainConfig,
    *,
    end_of_text: int,
    group: ParallelGroup,
    first_row: int = 0,
    micro_batch_size: int | None = None,
) -> StepResult:
    """Takes this worker's rows of the batch ([B, S + 1] ids) and makes one step with all workers.

    `first_row` numbers the first of them over the whole training, which decides a router's random choices. Raises
    ValueError for ids outside the vocabulary.
    """
    check_ids(rows, model.config.vocab_size)
    model.train()
    pieces = np.array_split(rows, group.num_pieces(config.global_batch_size, micro_batch_size))
    sums: Tensor | None = None
    load_LE: Tensor | None = None
    for piece in pieces:
        share = len(piece) * group.world_size / config.global_batch_size  # of what workers have in the mean
        inputs_BS, targets_BS, segment_BS = (ids.to(group.device) for ids in unpack(piece, end_of_text))
        row_key_B = torch.arange(first_row, first_row + len(piece), device=group.device)
        first_row += len(piece)
        with torch.autocast(inputs_BS.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            output = model(inputs_BS, segment_BS, row_key_B)
            loss = F.cross_entropy(output.logits_BSV.flatten(0, 1), targets_BS.flatten())
            output_z = _output_z_loss(output.logits_BSV) if config.output_z_loss_weight else loss.new_zeros(())
        (share * objective(loss, output_z, output.routing, config)).backward()
        values = share * _reported(loss, output_z, output.routing)
        sums = values if sums is None else sums + values
        if output.routing is not None:
            load_LE = output.routing.load_LE if load_LE is None else load_LE + output.routing.load_LE
    group.average_gradients(model)
    grad_norm = group.clip_gradients(model, config.max_grad_norm)
    assert sums is not None, "a worker's share of the batch is never empty"
    means = group.average(sums).tolist()
    applied = bool(np.isfinite(means[0]) and torch.isfinite(grad_norm))
    if applied:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    result = StepResult(
        loss=means[0],
        grad_norm=float(grad_norm),
        applied=applied,
        output_z_loss=means[1] if config.output_z_loss_weight else None,
    )
    if load_LE is None:
        return result
    load_LE = group.sum(load_LE.double())
    if applied and model.config.router == "top_k_loss_free":
        model.adjust_router_bias(load_LE)
    return replace(
        result,
        balance_loss=means[2],
        z_loss=means[3],
        router_entropy=means[4],
        dropped_fraction=means[5],
        load_imbalance=float((load_LE.max(dim=1).values / load_LE.mean(dim=1)).mean()),
        load_LE=load_LE,
    )


def objective(loss: Tensor, output_z_loss: Tensor, routing: RoutingSummary | None, config: TrainConfig) -> Tensor:
    """What is minimised: cross-entropy plus the weighted z-losses and balance loss (means over mixture layers)."""
    if config.output_z_loss_weight:
        loss = loss + config.output_z_loss_weight * output_z_loss
    if routing is None:
        return loss
    return loss + config.balance_weight * routing.balance_loss + config.z_loss_weight * routing.z_loss


def unpack(rows: np.ndarray, end_of_text: int) -> tuple[Tensor, Tensor, Tensor]:
    """(inputs, targets, segments), each [B, S], of packed rows of S + 1 ids; a segment starts at each end-of-text."""
    ids = torch.from_numpy(np.ascontiguousarray(rows))
    inputs_BS = ids[:, :-1]
    return inputs_BS, ids[:, 1:], (inputs_BS == end_of_text).cumsum(dim=1)


def _output_z_loss(logits_BSV: Tensor) -> Tensor:
    return logits_BSV.float().logsumexp(dim=-1).square().mean()


def _reported(loss: Tensor, output_z_loss: Tensor, routing: RoutingSummary | None) -> Tensor:
    parts = [loss, output_z_loss]
    if routing is not None:
        parts += [routing.balance_loss, routing.z_loss, routing.entropy, routing.dropped_fraction]
    return torch.stack([part.detach().double() for part in parts])
