"""OPTIMIZERS: what turns gradients into a step."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from glam.config import TrainConfig


def adamw(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019); float32 moments, one fused kernel."""
    return torch.optim.AdamW(
        parameters,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=1e-8,
        weight_decay=config.weight_decay,
        fused=True,
    )


OPTIMIZERS: Mapping[str, Callable[[Iterable[nn.Parameter], TrainConfig], torch.optim.Optimizer]] = {"adamw": adamw}


def optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The configured optimizer over all parameters. Raises ValueError listing what exists."""
    if config.optimizer not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {config.optimizer!r}; known: {', '.join(sorted(OPTIMIZERS))}")
    return OPTIMIZERS[config.optimizer](model.parameters(), config)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value
