"""RMSNorm, activations and the published initial distributions."""

import hashlib
import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
}

ACTIVATION_GRADIENTS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "relu": lambda gradient, x: torch.ops.aten.threshold_backward(gradient, x, 0),
    "gelu": lambda gradient, x: torch.ops.aten.gelu_backward(gradient, x, approximate="tanh"),
    "silu": torch.ops.aten.silu_backward,
}
"""Gradient of the input from that of the output and the input."""


class RMSNorm(nn.Module):
    """x / rms(x) * scale, scale starting at 1, epsilon 1e-6 (praxis normalizations.py)."""

    def __init__(self, dim: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.scale, eps=1e-6)


class Initializer:
    """Fills parameters so that each depends on the seed and its own name alone.

    Two models that share a parameter (name and shape) and a seed start with the same values in it: the
    arms of a comparison differ in what the study varies, not in the luck of their common layers.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def normal(self, name: str, parameter: Tensor, *, std: float) -> None:
        with torch.no_grad():
            parameter.copy_(torch.randn(parameter.shape, generator=self._generator(name)) * std)

    def uniform(self, name: str, parameter: Tensor, *, fan_in: int) -> None:
        """Uniform on +-sqrt(3 / fan_in), which has variance 1 / fan_in."""
        limit = math.sqrt(3 / fan_in)
        with torch.no_grad():
            drawn = torch.rand(parameter.shape, generator=self._generator(name))
            parameter.copy_((2 * drawn - 1) * limit)

    def _generator(self, name: str) -> torch.Generator:
        digest = hashlib.sha256(f"{self.seed}:{name}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
