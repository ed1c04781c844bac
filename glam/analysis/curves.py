"""Reading held-out curves at equal tokens, FLOPs, seconds and joules. Pure arithmetic on `HeldoutPoint`s."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from glam.config import TrainConfig
from glam.records import HeldoutPoint, HeldoutRows

Axis = Literal["tokens", "flops", "seconds", "joules"]
AXES: tuple[Axis, ...] = get_args(Axis)
COST_WORDS: dict[Axis, str] = {
    "tokens": "tokens",
    "flops": "training FLOPs",
    "seconds": "seconds",
    "joules": "joules",
}
READABLE_EARLY = ("constant", "flat", "inverse_sqrt")
"""Schedules that do not know where they end: a point on the way is what a shorter run would have reached."""


@dataclass(frozen=True)
class Curve:
    """Held-out loss (nats per token) of one run, in order of steps."""

    points: tuple[HeldoutPoint, ...]
    flops_per_token: float
    """Training FLOPs."""
    train: TrainConfig
    rows: tuple[HeldoutRows, ...] = ()
    """Of the points whose rows were kept."""


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
    known = known_costs(curve, axis)
    if isinstance(known, Reading):
        return known
    for (left, one), (right, two) in pairwise(known if len(known) > 1 else known * 2):
        if left <= at <= right:
            part = 0.0 if right == left else (at - left) / (right - left)
            step = one.step + part * (two.step - one.step)
            return Reading(one.loss + part * (two.loss - one.loss), early_reading(curve.train, step))
    return Reading(None, f"{at:.4g} {axis} lie outside the curve, {known[0][0]:.4g} to {known[-1][0]:.4g}")


def cost_to_reach(curve: Curve, axis: Axis, loss: float) -> Reading:
    """What had been spent when the held-out loss first fell to `loss`, as `crossings`; None where it never did."""
    known = known_costs(curve, axis)
    if isinstance(known, Reading):
        return known
    log_costs = np.log([spent for spent, _ in known])
    losses = np.array([point.loss for _, point in known])
    (crossing,) = crossings(log_costs, losses[None], np.array([loss]))
    if crossing == -np.inf and len(known) > 1:
        return Reading(None, f"already below {loss:.4f} at the first point of the curve")
    if crossing == np.inf:
        return Reading(None, f"never reached {loss:.4f}; the best was {losses.min():.4f}")
    crossing = max(crossing, log_costs[0])
    return Reading(float(np.exp(crossing)), early_reading(curve.train, step_at(curve, log_costs, crossing)))


def crossings(log_cost_P: np.ndarray, loss_RP: np.ndarray, target_R: np.ndarray) -> np.ndarray:
    """[R] the logarithm of the cost at which each of R curves of P points first falls to its target.

    Between two points the loss is taken to fall linearly in the logarithm of the cost. Infinite where no point is as
    low, minus infinity where the first one is already lower.
    """
    reached_RP = loss_RP <= target_R[:, None]
    right_R = reached_RP.argmax(axis=1)
    left_R = np.maximum(right_R - 1, 0)
    row_R = np.arange(len(loss_RP))
    above_R, fall_R = loss_RP[row_R, left_R] - target_R, loss_RP[row_R, left_R] - loss_RP[row_R, right_R]
    part_R = np.divide(above_R, fall_R, out=np.zeros_like(fall_R), where=fall_R > 0)
    crossing_R = log_cost_P[left_R] + part_R * (log_cost_P[right_R] - log_cost_P[left_R])
    crossing_R[loss_RP[:, 0] < target_R] = -np.inf
    crossing_R[~reached_RP.any(axis=1)] = np.inf
    return crossing_R


def step_at(curve: Curve, log_cost_P: np.ndarray, log_cost: float) -> float:
    """The step at which so much had been spent, given the logarithms of the costs of all points; never beyond them."""
    return float(np.interp(log_cost, log_cost_P, [point.step for point in curve.points]))


def early_reading(train: TrainConfig, step: float) -> str:
    """Why a reading at `step` is not the end of a shorter run; empty where it is, and at the run's own end."""
    if step >= train.num_steps:
        return ""
    if step < train.warmup_steps:
        return f"read within the warm-up of {train.warmup_steps} steps"
    if train.schedule not in READABLE_EARLY:
        return f"schedule {train.schedule!r} was read before its end: a shorter run would have decayed more"
    return ""


def known_costs(curve: Curve, axis: Axis) -> list[tuple[float, HeldoutPoint]] | Reading:
    """(cost, point) of every point; a reading without a value where the curve is empty or a cost unknown."""
    costs = [(cost(point, axis, curve.flops_per_token), point) for point in curve.points]
    known = [(spent, point) for spent, point in costs if spent is not None and spent > 0]
    if not costs:
        return Reading(None, "the run has no held-out curve")
    if len(known) < len(costs):
        return Reading(None, f"{axis} were not measured")
    return known
