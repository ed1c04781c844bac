"""Two arms against each other along every axis of cost: held-out curves read at equal cost and at equal loss."""

import math
from collections.abc import Mapping

from glam.analysis.comparison import Runs, mean
from glam.analysis.curves import AXES, Axis, Curve, Reading, cost_to_reach, loss_at, total_cost
from glam.analysis.evidence import RunEvidence
from glam.analysis.speedup import Resampled, compare_speed, resample
from glam.analysis.statistics import UnpairedError
from glam.analysis.verdict import AxisComparison, SeedReading
from glam.config import TrainConfig


def compare_axes(
    first: Runs, second: Runs, first_train: TrainConfig, second_train: TrainConfig
) -> list[AxisComparison]:
    """Held-out curves read at equal cost and at equal loss, and the speed-up, along every axis, seed by seed."""
    curves = {
        seed: (_curve(first[seed], first_train), _curve(second[seed], second_train)) for seed in first if seed in second
    }
    try:
        resampled = resample(curves)
    except UnpairedError as error:
        resampled = str(error)
    return [_axis(axis, curves, resampled) for axis in AXES]


def _axis(axis: Axis, curves: Mapping[int, tuple[Curve, Curve]], resampled: Resampled | str) -> AxisComparison:
    seeds = [_seed_reading(axis, seed, *pair) for seed, pair in curves.items()]
    ratios = [
        math.log(each.first_cost / each.second_cost)
        if each.first_cost is not None and each.second_cost is not None
        else None
        for each in seeds
    ]
    mean_log_ratio = mean(ratios)
    speedup = compare_speed(axis, curves, resampled)
    return AxisComparison(
        axis=axis,
        seeds=tuple(seeds),
        loss_difference=mean([each.loss_difference for each in seeds]),
        cost_ratio=None if mean_log_ratio is None else math.exp(mean_log_ratio),
        speedup=speedup,
        notes=tuple(dict.fromkeys((*(note for each in seeds for note in each.notes), *speedup.notes))),
    )


def _seed_reading(axis: Axis, seed: int, first: Curve, second: Curve) -> SeedReading:
    costs = [total_cost(curve, axis) for curve in (first, second)]
    equal_cost = None if None in costs else min(cost for cost in costs if cost is not None)
    ends = [curve.points[-1].loss for curve in (first, second) if curve.points]
    equal_loss = max(ends) if len(ends) == 2 else None
    unread = Reading(None, f"{axis} were not measured" if equal_loss is not None else "a run has no held-out curve")
    losses = [unread if equal_cost is None else loss_at(curve, axis, equal_cost) for curve in (first, second)]
    spent = [
        unread if equal_loss is None or equal_cost is None else cost_to_reach(curve, axis, equal_loss)
        for curve in (first, second)
    ]
    return SeedReading(
        seed=seed,
        equal_cost=equal_cost,
        loss_difference=_minus(losses[0].value, losses[1].value),
        equal_loss=equal_loss,
        first_cost=spent[0].value,
        second_cost=spent[1].value,
        notes=tuple(dict.fromkeys(reading.reason for reading in (*losses, *spent) if reading.reason)),
    )


def _curve(run: RunEvidence, train: TrainConfig) -> Curve:
    return Curve(run.heldout, run.summary.flops_per_token, train, run.heldout_rows)


def _minus(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else one - two
