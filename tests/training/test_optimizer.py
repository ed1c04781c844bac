"""Adafactor against its formula in float64, and laws for every optimizer."""

import numpy as np
import pytest
import torch
from torch import nn

from glam.config import TrainConfig
from glam.training.optimizer import OPTIMIZERS, optimizer

CONFIG = TrainConfig(num_steps=10, global_batch_size=1, optimizer="adafactor", learning_rate=0.01)


def formula(weights: np.ndarray, gradients: list[np.ndarray], rate: float) -> np.ndarray:
    """Adafactor of one matrix or vector, written down once more from the paper and lingvo."""
    row = column = square = 0.0
    for step, gradient in enumerate(gradients):
        decay = 1 - (step + 1) ** -0.8
        squared = gradient**2 + 1e-30
        if weights.ndim == 2:
            row = decay * row + (1 - decay) * squared.mean(axis=1)
            column = decay * column + (1 - decay) * squared.mean(axis=0)
            update = gradient / np.sqrt(np.outer(row, column) / np.mean(row))
        else:
            square = decay * square + (1 - decay) * squared
            update = gradient / np.sqrt(square)
        update = update / max(1.0, np.sqrt((update**2).mean()))
        weights = weights - rate * max(1e-3, np.sqrt((weights**2).mean())) * update
    return weights


@pytest.mark.parametrize("shape", [(5, 7), (6,), (3, 5, 7)], ids=str)
def test_adafactor_is_its_formula_and_treats_each_expert_by_itself(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    start, gradients = generator.normal(size=shape), list(generator.normal(size=(4, *shape)))
    module = nn.Module()
    module.weight = nn.Parameter(torch.from_numpy(start.copy()))
    made = optimizer(module, CONFIG)
    for gradient in gradients:
        module.weight.grad = torch.from_numpy(gradient.copy())
        made.step()
    if len(shape) == 3:
        expected = np.stack([formula(start[e], [g[e] for g in gradients], 0.01) for e in range(shape[0])])
    else:
        expected = formula(start, gradients, 0.01)
    assert np.allclose(module.weight.detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(5, 7), (6,)], ids=str)
def test_adafactor_is_that_of_transformers_where_both_define_it(shape: tuple[int, ...]) -> None:
    theirs = pytest.importorskip("transformers.optimization", reason="an independent implementation; extra bench")
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(shape, generator=generator, dtype=torch.float64)
    ours, other = nn.Module(), nn.Parameter(start.clone())
    ours.weight = nn.Parameter(start.clone())
    made = optimizer(ours, CONFIG)
    made_by_them = theirs.Adafactor(
        [other],
        lr=CONFIG.learning_rate,
        eps=(1e-30, 1e-3),
        clip_threshold=1.0,
        decay_rate=-0.8,
        beta1=None,
        scale_parameter=True,
        relative_step=False,
        warmup_init=False,
    )
    for _ in range(5):
        gradient = torch.randn(shape, generator=generator, dtype=torch.float64)
        ours.weight.grad, other.grad = gradient.clone(), gradient.clone()
        made.step()
        made_by_them.step()
    assert torch.allclose(ours.weight, other, rtol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_descends_and_leaves_what_has_no_gradient(name: str) -> None:
    module = nn.Module()
    module.weight, module.idle = nn.Parameter(torch.ones(4, 4)), nn.Parameter(torch.ones(3))
    made = optimizer(module, TrainConfig(num_steps=1, global_batch_size=1, optimizer=name, learning_rate=0.05))
    losses = []
    for _ in range(20):
        made.zero_grad()
        loss = (module.weight - 0.5).square().sum()
        loss.backward()
        made.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert torch.equal(module.idle, torch.ones(3))


def test_unknown_optimizer_lists_what_exists() -> None:
    with pytest.raises(ValueError, match="unknown optimizer 'sgd'; known: adafactor, adamw"):
        optimizer(nn.Linear(2, 2), TrainConfig(num_steps=1, global_batch_size=1, optimizer="sgd"))
