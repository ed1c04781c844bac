"""When a run has gone wrong, and what it goes back to (GLaM, arXiv:2112.06905 section 5.1).

A batch with NaN or Inf in its loss or gradients changes nothing. On weights that are not finite, on a jump of the loss,
and on batches that are not finite one after the other, training goes back to an earlier checkpoint and meets other
batches from there on. All of it is decided by the position and the configuration, so a resumed run decides the same.
"""

import statistics
from collections.abc import Sequence

from glam.config import TrainConfig
from glam.records import Detour
from glam.store import StoreError
from glam.training.position import Position

WINDOW = 32
"""Losses by whose median the next one is judged, and fewest that judge one."""
MOST_SKIPPED_IN_A_ROW = 8


class TrainingDiverged(StoreError):
    """Going back did not help; what was saved before is kept."""


def is_spike(loss: float, recent: Sequence[float], config: TrainConfig) -> bool:
    """Whether a loss stands so far above those before that the step was a bad one."""
    if config.spike_nats is None or len(recent) < WINDOW:
        return False
    return loss > statistics.median(recent) + config.spike_nats


def step_to_go_back_to(position: Position, reason: str, config: TrainConfig) -> int:
    """From a bad step after `position`: an earlier checkpoint, one further than the last time where that did not help.

    At most `max_rollbacks` before the first one of them, so as many have to be kept.

    Raises TrainingDiverged after the last roll-back allowed.
    """
    if len(position.detours) >= config.max_rollbacks:
        places = ", ".join(f"step {each.left_at} ({each.reason})" for each in position.detours)
        raise TrainingDiverged(
            f"training went wrong at step {position.step}: {reason}; it had gone back {len(position.detours)} times "
            f"before{': ' + places if places else ''}. Lower train.learning_rate, lengthen train.warmup_steps, or "
            "raise train.max_rollbacks or train.spike_nats"
        )
    every = config.rollback_steps
    step = max(0, position.step - 1) // every * every
    in_vain = [each.step for each in position.detours if each.left_at > step]
    return max(config.continues or 0, min([step, *(each - every for each in in_vain)]))


def after_detours(position: Position, detours: Sequence[Detour]) -> Position:
    """A position that was loaded, with what was spent before the run came back to it."""
    if len(detours) == len(position.detours):
        return position
    spent = detours[-1]
    return position.model_copy(
        update={
            "elapsed_seconds": spent.elapsed_seconds,
            "energy_joules": spent.energy_joules,
            "energy_low_joules": spent.energy_low_joules,
            "energy_high_joules": spent.energy_high_joules,
            "skipped_in_a_row": 0,
            "detours": tuple(detours),
        }
    )


def on_the_way(position: Position, detours: Sequence[Detour]) -> bool:
    """Whether a run that took these detours has passed this position and not left it behind."""
    known = len(position.detours)
    return tuple(detours[:known]) == position.detours and all(each.step >= position.step for each in detours[known:])
