"""Our contestants: a layer, a training step, generation; and the bare matrix product they are held against.

Each function builds from plain JSON and returns the call that is measured. Data is random and the same every time.
"""

from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any

import numpy as np
import torch
import torch._dynamo  # 70 MiB that torch loads with the first optimizer: no part of what a step takes
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from glam.config import ModelConfig, TrainConfig
from glam.counting import count
from glam.model.experts import MixtureOfExperts
from glam.model.feed_forward import FeedForward
from glam.model.generation import generate
from glam.model.generation_config import GenerationConfig
from glam.model.layers import Initializer
from glam.model.transformer import Transformer
from glam.training.optimizer import optimizer
from glam.training.parallel import ParallelGroup
from glam.training.step import train_step

Call = Callable[[], object]

END_OF_TEXT = 0
"""Never drawn: a row is one document."""
NUM_BATCHES = 8
FLOPS_TOLERANCE = 0.01


def layer(config: Mapping[str, Any], num_rows: int) -> Call:
    """Forward and backward of one feed-forward layer in training, a mixture when the config has several experts."""
    model = ModelConfig.model_validate(config)
    made = MixtureOfExperts(model) if model.num_experts > 1 else FeedForward(model)
    made.initialize("layer", Initializer(0))
    if isinstance(made, MixtureOfExperts):
        return forward_backward(made, lambda x_BSM: made(x_BSM)[0], model, num_rows)
    return forward_backward(made, made, model, num_rows)


def step(config: Mapping[str, Any], num_rows: int, recompute_activations: bool = False) -> Call:
    """One optimizer step as training takes it, AdamW, the next batch with each call."""
    model = Transformer(ModelConfig.model_validate(config))
    model.initialize(0)
    check_flops(lambda ids_BS: model(ids_BS), model.config)
    model.recompute_activations = recompute_activations
    train = train_config(num_rows)
    made = optimizer(model, train)
    batches = cycle([random_rows(model.config, num_rows, seed=seed) for seed in range(NUM_BATCHES)])
    group = ParallelGroup()
    return lambda: train_step(model, made, next(batches), train, end_of_text=END_OF_TEXT, group=group)


def generation(config: Mapping[str, Any], num_prompts: int, prompt_tokens: int, new_tokens: int) -> Call:
    """Greedy continuations of a batch of prompts, all of the same length."""
    model = Transformer(ModelConfig.model_validate(config)).eval()
    model.initialize(0)
    prompts = random_rows(model.config, num_prompts)[:, :prompt_tokens].tolist()
    settings = GenerationConfig(max_new_tokens=new_tokens)

    def call() -> None:
        made = generate(model, prompts, settings).rows
        assert {len(ids) for ids in made} == {new_tokens}, "ended early"

    return call


def matrix_product(rows: int, inner: int, columns: int) -> Call:
    """[rows, inner] by [inner, columns] in float32."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(rows, inner, generator=generator)
    second = torch.randn(inner, columns, generator=generator)
    out = torch.empty(rows, columns)
    return lambda: torch.mm(first, second, out=out)


def forward_backward(made: nn.Module, forward: Callable[[Tensor], Tensor], config: ModelConfig, num_rows: int) -> Call:
    """A layer's output of random input, then the gradients of its weights and of the input."""
    generator = torch.Generator().manual_seed(0)
    shape = (num_rows, config.sequence_length, config.model_dim)
    x_BSM = torch.randn(shape, generator=generator).requires_grad_()
    d_y_BSM = torch.randn(shape, generator=generator)
    made.train()

    def call() -> None:
        forward(x_BSM).backward(d_y_BSM)
        made.zero_grad(set_to_none=True)
        x_BSM.grad = None

    return call


def train_config(num_rows: int) -> TrainConfig:
    """AdamW at a rate so low that what is routed where stays as it was at the start."""
    return TrainConfig(num_steps=1, global_batch_size=num_rows, optimizer="adamw", learning_rate=1e-5)


def random_rows(config: ModelConfig, num_rows: int, *, seed: int = 0) -> np.ndarray:
    """[B, S + 1] ids, as a batch of training is; none is end-of-text."""
    generator = np.random.default_rng(seed)
    return generator.integers(END_OF_TEXT + 1, config.vocab_size, (num_rows, config.sequence_length + 1))


def check_flops(forward: Callable[[Tensor], object], config: ModelConfig) -> None:
    """Raises AssertionError when a row's forward pass is not, within 1 %, as many FLOPs as `glam.counting` says."""
    ids_BS = torch.from_numpy(random_rows(config, 1)[:, :-1])
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        forward(ids_BS)
    done, expected = counter.get_total_flops() / config.sequence_length, count(config).forward_flops_per_token
    assert abs(done - expected) <= FLOPS_TOLERANCE * expected, f"{done:,.0f} FLOPs per token, not {expected:,}"
