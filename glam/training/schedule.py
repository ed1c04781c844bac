"""SCHEDULES: the learning rate as a pure function of the step."""

import math
from collections.abc import Callable, Mapping

from glam.config import TrainConfig

Schedule = Callable[[int, TrainConfig], float]


def inverse_sqrt(step: int, config: TrainConfig) -> float:
    """Flat, then 1/sqrt(step): GLaM (arXiv:2112.06905) section 5.1, with 10,000 flat steps there."""
    return math.sqrt(config.flat_steps / max(step + 1, config.flat_steps))


def cosine(step: int, config: TrainConfig) -> float:
    """From 1 after the warm-up down to a tenth at the last step."""
    done = (step - config.warmup_steps) / max(1, config.num_steps - config.warmup_steps)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, max(0.0, done))))


def warmup_stable_decay(step: int, config: TrainConfig) -> float:
    """Flat, then down to 0 in a straight line over the last `decay_steps` (Hu et al., arXiv:2404.06395)."""
    decay_steps = config.decay_steps or max(1, config.num_steps // 10)
    return min(1.0, max(0.0, (config.num_steps - step) / decay_steps))


SCHEDULES: Mapping[str, Schedule] = {
    "inverse_sqrt": inverse_sqrt,
    "cosine": cosine,
    "warmup_stable_decay": warmup_stable_decay,
}


def learning_rate(step: int, config: TrainConfig) -> float:
    """Learning rate of the step that is `step` steps after the first; rises linearly over `warmup_steps`.

    Raises ValueError for an unknown schedule, listing what exists.
    """
    if config.schedule not in SCHEDULES:
        raise ValueError(f"unknown schedule {config.schedule!r}; known: {', '.join(sorted(SCHEDULES))}")
    warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
    return config.learning_rate * warmup * SCHEDULES[config.schedule](step, config)
