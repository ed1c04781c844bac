"""Two arms against each other: on one task, on held-out loss, and along every axis of cost."""

import math
from collections.abc import Mapping, Sequence

from glam.analysis.curves import AXES, Axis, Curve, Reading, cost_to_reach, loss_at, total_cost
from glam.analysis.evidence import RunEvidence, Score, TaskKey
from glam.analysis.significance import SIGNIFICANCE_LEVEL, PairedTest, holm, paired_test
from glam.analysis.speedup import Resampled, compare_speed, resample
from glam.analysis.statistics import Interval, UnpairedError, cluster_sums, paired_interval
from glam.analysis.verdict import AxisComparison, Estimate, SeedReading, TaskComparison, Winner
from glam.config import TrainConfig

HELDOUT_TASK: TaskKey = ("heldout", 0)
LOWER_IS_BETTER = ("cross_entropy",)

Runs = Mapping[int, RunEvidence]
"""One arm's runs by seed."""


def compare_task(first: Runs, second: Runs, key: TaskKey) -> TaskComparison:
    """Both arms' values and their paired difference; unknown, with the reason, where a run was not scored."""
    task, num_shots = key
    scores = [[run.scores.get(key) for run in arm.values()] for arm in (first, second)]
    known = [score.result for arm in scores for score in arm if score is not None]
    metric = known[0].metric if known else "unknown"
    difference, tested = _difference(first, second, key)
    higher_is_better = metric not in LOWER_IS_BETTER
    return TaskComparison(
        task=task,
        num_shots=num_shots,
        metric=metric,
        higher_is_better=higher_is_better,
        first=mean([_value(score) for score in scores[0]]),
        second=mean([_value(score) for score in scores[1]]),
        difference=difference,
        winner=winner(difference, higher_is_better=higher_is_better),
        num_examples=known[0].num_examples if known else None,
        chance=known[0].chance if known else None,
        majority=known[0].majority if known else None,
        first_bits_per_byte=mean([_bits(score) for score in scores[0]]),
        second_bits_per_byte=mean([_bits(score) for score in scores[1]]),
        mean_demonstrations=mean([result.mean_demonstrations for result in known]),
        test=tested.test,
        p_value=tested.p_value,
        p_value_per_seed=dict(tested.p_value_per_seed),
        discordant_pairs_per_seed=dict(tested.discordant_pairs_per_seed),
        minimum_detectable_effect=tested.minimum_detectable_effect,
    )


def compare_loss(first: Runs, second: Runs, *, same_data: bool) -> TaskComparison:
    """Held-out loss: the `heldout` task's, or, where that was not run, the ends of the curves without an interval."""
    loss = compare_task(first, second, HELDOUT_TASK)
    if any(HELDOUT_TASK in run.scores for arm in (first, second) for run in arm.values()) or not same_data:
        return loss
    ends = {
        seed: (first[seed].summary.heldout_loss, second[seed].summary.heldout_loss) for seed in first if seed in second
    }
    per_seed = {seed: one - two for seed, (one, two) in ends.items() if one is not None and two is not None}
    whole = len(per_seed) == len(first)
    return TaskComparison(
        task=loss.task,
        num_shots=0,
        metric="cross_entropy",
        higher_is_better=False,
        first=mean([one for one, _ in ends.values()]),
        second=mean([two for _, two in ends.values()]),
        difference=Estimate(
            value=mean(list(per_seed.values())) if whole else None,
            per_seed=per_seed,
            reason="the task 'heldout' was not run, so there are no items to resample",
        ),
        winner="undecided",
        num_examples=None,
    )


def decide(family: Sequence[TaskComparison]) -> list[TaskComparison]:
    """The cells with p-values adjusted for each other by Holm's correction, and what that decides.

    A contrast has two families: its tasks, and held-out loss alone. Loss is the one question that a study names
    beforehand, and its verdict must not hang on how many tasks were asked beside it; nor should tasks profit from a
    place in the order that a sure difference in loss takes.
    """
    adjusted = holm([cell.p_value for cell in family])
    return [
        cell.model_copy(update={"p_value_adjusted": p, "decided": None if p is None else p <= SIGNIFICANCE_LEVEL})
        for cell, p in zip(family, adjusted, strict=True)
    ]


def winner(difference: Estimate, *, higher_is_better: bool) -> Winner:
    """Whom the interval favours: undecided where it holds zero or is unknown."""
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "undecided"
    return "first" if (difference.low > 0) == higher_is_better else "second"


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


def mean(values: Sequence[float | None]) -> float | None:
    """None where a value is unknown, or there is none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def total(values: Sequence[float | None]) -> float | None:
    """None where a value is unknown, or there is none."""
    average = mean(values)
    return None if average is None else math.fsum(value for value in values if value is not None)


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


def _difference(first: Runs, second: Runs, key: TaskKey) -> tuple[Estimate, PairedTest]:
    missing = [run.summary for arm in (first, second) for run in arm.values() if key not in run.scores]
    if missing:
        return _unknown(f"{missing[0].arm} seed {missing[0].seed} was not scored on it")
    if not any(run.scores[key].items for arm in (first, second) for run in arm.values()):
        return _unknown("the held-out text gave no item")
    items = [{seed: run.scores[key].items for seed, run in arm.items()} for arm in (first, second)]
    try:
        sums = cluster_sums(*items)
    except UnpairedError as error:
        return _unknown(str(error))
    found = paired_interval(sums)
    return _estimate(found), paired_test(sums, found)


def _unknown(reason: str) -> tuple[Estimate, PairedTest]:
    return Estimate(value=None, reason=reason), PairedTest(None, None, None)


def _estimate(interval: Interval) -> Estimate:
    return Estimate(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        scope=interval.scope,
        per_seed=interval.per_seed,
        num_clusters=interval.num_clusters,
        num_items=interval.num_items,
        reason="" if interval.low is not None else "all items come from one unit, so there is nothing to resample",
    )


def _curve(run: RunEvidence, train: TrainConfig) -> Curve:
    return Curve(run.heldout, run.summary.flops_per_token, train, run.heldout_rows)


def _value(score: Score | None) -> float | None:
    return None if score is None else score.result.value


def _bits(score: Score | None) -> float | None:
    return None if score is None else score.result.bits_per_byte


def _minus(one: float | None, two: float | None) -> float | None:
    return None if one is None or two is None else one - two
