"""Reading held-out curves at equal tokens, FLOPs, seconds and joules. Pure arithmetic on `HeldoutPoint`s."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from glam.config import TrainConfig
from glam.records import HeldoutPoint

Axis = Literal["tokens", "flops", "seconds", "joules"]
AXES: tuple[Axis, ...] = get_args(Axis)
READABLE_EARLY = ("constant", "flat", "inverse_sqrt")
"""Schedules that do not know where they end: a point on the way is what a shorter run would have reached."""


@dataclass(frozen=True)
class Curve:
    """Held-out loss (nats per token) of one run, in order of steps."""

    points: tuple[HeldoutPoint, ...]
    flops_per_token: float
    """Training FLOPs."""
    train: TrainConfig


@dataclass(frozen=True)
class Reading:
    """A number read off a curve; None with the reason where it cannot be read."""

    value: float | None
    reason: str = ""
    """Why there is no value, or why it is not what a run that stopped here would have got; empty when all is well."""


def cost(point: HeldoutPoint, axis: Axis, flops_per_token: float) -> float | None:
    """What was spent until a point: tokens, training FLOPs, seconds or joules; None where unknown."""
    if axis == "tokens":
        return float(point.tokens)
    if axis == "flops":
        return point.tokens * flops_per_token
    return point.elapsed_seconds if axis == "seconds" else point.energy_joules


def total_cost(curve: Curve, axis: Axis) -> float | None:
    """Cost at the curve's end; None for an empty curve or an unknown cost."""
    return cost(curve.points[-1], axis, curve.flops_per_token) if curve.points else None


def loss_at(curve: Curve, axis: Axis, at: float) -> Reading:
    """Held-out loss when `at` had been spent, linear between points; None outside the curve."""
    known = _known(curve, axis)
    if isinstance(known, Reading):
        return known
    for (left, one), (right, two) in pairwise(known if len(known) > 1 else known * 2):
        if left <= at <= right:
            part = 0.0 if right == left else (at - left) / (right - left)
            step = one.step + part * (two.step - one.step)
            return Reading(one.loss + part * (two.loss - one.loss), early_reading(curve.train, step))
    return Reading(None, f"{at:.4g} {axis} lie outside the curve, {known[0][0]:.4g} to {known[-1][0]:.4g}")


def cost_to_reach(curve: Curve, axis: Axis, loss: float) -> Reading:
    """What had been spent when the held-out loss first fell to `loss`; None where it never did.

    Between two points the loss is taken to fall linearly in the logarithm of the cost.
    """
    known = _known(curve, axis)
    if isinstance(known, Reading):
        return known
    if known[0][1].loss <= loss:
        if len(known) == 1 or known[0][1].loss == loss:
            return Reading(known[0][0], early_reading(curve.train, known[0][1].step))
        return Reading(None, f"already below {loss:.4f} at the first point of the curve")
    for (left, one), (right, two) in pairwise(known):
        if two.loss <= loss:
            part = (one.loss - loss) / (one.loss - two.loss)
            value = math.exp(math.log(left) + part * (math.log(right) - math.log(left)))
            return Reading(value, early_reading(curve.train, one.step + part * (two.step - one.step)))
    return Reading(None, f"never reached {loss:.4f}; the best was {min(point.loss for _, point in known):.4f}")


def early_reading(train: TrainConfig, step: float) -> str:
    """Why a reading at `step` is not the end of a shorter run; empty where it is, and at the run's own end."""
    if step >= train.num_steps:
        return ""
    if step < train.warmup_steps:
        return f"read within the warm-up of {train.warmup_steps} steps"
    if train.schedule not in READABLE_EARLY:
        return f"schedule {train.schedule!r} was read before its end: a shorter run would have decayed more"
    return ""


def _known(curve: Curve, axis: Axis) -> list[tuple[float, HeldoutPoint]] | Reading:
    costs = [(cost(point, axis, curve.flops_per_token), point) for point in curve.points]
    known = [(spent, point) for spent, point in costs if spent is not None and spent > 0]
    if not costs:
        return Reading(None, "the run has no held-out curve")
    if len(known) < len(costs):
        return Reading(None, f"{axis} were not measured")
    return known
