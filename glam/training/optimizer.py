"""OPTIMIZERS: what turns gradients into a step. Their state is there from the start, so that one can be loaded."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from glam.config import TrainConfig
from glam.training.parallel import complete, local

EPSILON_SQUARED_GRADIENT = 1e-30
MIN_PARAMETER_SCALE = 1e-3
UPDATE_CLIP = 1.0
DECAY_EXPONENT = 0.8
"""Of Adafactor, as lingvo's XLAShardingAdafactor has them; beta2 = 0.99 is ignored there once the exponent is set."""


class Adafactor(torch.optim.Optimizer):
    """Adafactor as GLaM trains (Shazeer and Stern, 2018; arXiv:2112.06905 section 5.1): no momentum, factored
    second moment with decay 1 - (step + 1)^-0.8, updates clipped at RMS 1, the rate scaled by the weights' RMS.

    Means are those of one whole matrix, also where workers hold pieces of it: of each expert by itself where several
    are stacked. Vectors are not factored.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float):
        super().__init__(parameters, {"lr": lr})
        for parameter in self._parameters():
            state: dict[str, Tensor] = {"step": torch.tensor(0.0)}
            if parameter.dim() >= 2:
                state["row"] = torch.zeros_like(parameter[..., 0])
                state["column"] = torch.zeros_like(parameter[..., 0, :])
            else:
                state["square"] = torch.zeros_like(parameter)
            self.state[parameter] = state

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Updates every parameter that has a gradient; the gradient becomes its update."""
        assert closure is None, "the loop computes gradients before it steps"
        rate = self.param_groups[0]["lr"]
        parameters = [parameter for parameter in self._parameters() if parameter.grad is not None]
        columns = [self._observe(parameter) for parameter in parameters]
        scales = [_square_sum(local(parameter)) for parameter in parameters]
        complete([*columns, *scales], [*parameters, *parameters])
        for parameter, column in zip(parameters, columns, strict=True):
            self._scale_gradient(parameter, column)
        updates = [_square_sum(local(_gradient(parameter))) for parameter in parameters]
        complete(updates, parameters)
        for parameter, scale, update in zip(parameters, scales, updates, strict=True):
            size = math.prod(parameter.shape[-2:])
            step_size = rate * (scale / size).sqrt().clamp(min=MIN_PARAMETER_SCALE)
            step_size /= ((update / size).sqrt() / UPDATE_CLIP).clamp(min=1.0)
            local(parameter).sub_(local(_gradient(parameter)).mul_(step_size))

    def _observe(self, parameter: Tensor) -> Tensor:
        """Takes squared gradients into what this worker can tell alone, and returns their sums over its rows."""
        state = self.state[parameter]
        state["step"] += 1
        squared = local(_gradient(parameter)).square() + EPSILON_SQUARED_GRADIENT
        if "row" not in state:
            local(state["square"]).lerp_(squared, _weight_of_new(state))
            return squared.new_zeros(())
        local(state["row"]).lerp_(squared.mean(dim=-1), _weight_of_new(state))
        return squared.sum(dim=-2)

    def _scale_gradient(self, parameter: Tensor, column_sum: Tensor) -> None:
        """Divides the gradient by the root of its second moment."""
        gradient, state = local(_gradient(parameter)), self.state[parameter]
        if "row" not in state:
            gradient.mul_(local(state["square"]).rsqrt())
            return
        row, column = local(state["row"]), local(state["column"])
        column.lerp_(column_sum / parameter.shape[-2], _weight_of_new(state))
        # Rows and columns have the same mean, and all columns are here.
        gradient.mul_((row / column.mean(dim=-1, keepdim=True)).rsqrt()[..., None]).mul_(column.rsqrt()[..., None, :])

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None, "those without were left out"
    return parameter.grad


def _weight_of_new(state: dict[str, Tensor]) -> float:
    """Of the squared gradient in the second moment: all at the first step."""
    return float(state["step"]) ** -DECAY_EXPONENT


def _square_sum(values: Tensor) -> Tensor:
    """Of each matrix, or of the vector, in a shape that broadcasts."""
    return values.square().sum(dim=(-2, -1) if values.dim() >= 2 else (-1,), keepdim=True)


def adafactor(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    return Adafactor(parameters, lr=config.learning_rate)


def adamw(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, 2019), one fused kernel for parameters that are whole."""
    cut: dict[bool, list[nn.Parameter]] = {False: [], True: []}
    for parameter in parameters:
        cut[isinstance(parameter, DTensor)].append(parameter)
    # The kernel takes no parts of tensors among workers, and no list that mixes them with whole ones.
    groups = [{"params": some, "fused": not are_cut, "foreach": False} for are_cut, some in cut.items() if some]
    made = torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=1e-8,
        weight_decay=config.weight_decay,
    )
    for group in made.param_groups:
        for parameter in group["params"]:
            made.state[parameter] = {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
    return made


OPTIMIZERS: Mapping[str, Callable[[Iterable[nn.Parameter], TrainConfig], torch.optim.Optimizer]] = {
    "adafactor": adafactor,
    "adamw": adamw,
}


def optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The configured optimizer over all parameters. Raises ValueError listing what exists."""
    if config.optimizer not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {config.optimizer!r}; known: {', '.join(sorted(OPTIMIZERS))}")
    return OPTIMIZERS[config.optimizer](model.parameters(), config)


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value
