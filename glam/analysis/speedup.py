"""Effective speed-up: how many times the cost a baseline needs to reach an arm's final held-out loss.

In: both arms' held-out curves, seed by seed, with the rows behind their points. Out: a ratio, its geometric mean over
seeds, and an interval by resampling held-out units, the same ones for both arms and all points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glam.analysis.curves import (
    COST_WORDS,
    READABLE_EARLY,
    Axis,
    Curve,
    Reading,
    crossings,
    early_reading,
    known_costs,
    step_at,
)
from glam.analysis.power_law import fit_curves
from glam.analysis.statistics import (
    CONFIDENCE,
    NUM_RESAMPLES,
    UnpairedError,
    bootstrap_variance,
    effective_number,
    resampled_counts,
    scope_of,
    spread_of_mean,
)
from glam.analysis.verdict import Speedup

EXTRAPOLATE_TIMES = 4.0
"""How far a baseline's curve is continued, in what the whole of it cost."""
MIN_POINTS_TO_EXTRAPOLATE = 5
TAIL = (1 - CONFIDENCE) / 2

Curves = Mapping[int, tuple[Curve, Curve]]
"""First arm and baseline, by seed."""
Sums = Mapping[str, tuple[float, int]]
"""Nats and tokens of each unit at one point of a curve, in order of their names."""


@dataclass(frozen=True)
class Resampled:
    """Held-out losses over R resamples of units: the first arm's at its end, the baseline's at its P points."""

    end_R: Mapping[int, np.ndarray]
    """By seed, as the next."""
    loss_RP: Mapping[int, np.ndarray]
    num_units: int
    num_effective: float
    """Units of equal weight that would average as well."""


@dataclass(frozen=True)
class _Reached:
    """What R versions of a baseline's curve cost until their targets: logarithms, as in `_Baseline`."""

    log_cost_R: np.ndarray
    before_R: np.ndarray
    """Whether it was lower at its first point already, whose cost then stands for it."""
    continued_R: np.ndarray
    """Whether it had not got there when it ended."""
    beyond_R: np.ndarray
    """Whether it does not get there before the limit either, which then stands for it."""


@dataclass(frozen=True)
class _Baseline:
    """A baseline's curve along one axis; costs are logarithms of their ratio to the first arm's whole cost."""

    curve: Curve
    log_cost_P: np.ndarray
    warm_P: np.ndarray
    """Whether a point lies behind the warm-up."""
    why_it_ends: str
    """Why the curve may not be continued; empty where it may."""

    @property
    def limit(self) -> float:
        """Where reading ends."""
        return self.log_cost_P[-1] + (0.0 if self.why_it_ends else np.log(EXTRAPOLATE_TIMES))

    def reach(self, loss_RP: np.ndarray, target_R: np.ndarray) -> _Reached:
        """Reads R curves, continued by the power law that fits each of them best."""
        log_cost_R = crossings(self.log_cost_P, loss_RP, target_R)
        before_R, continued_R = log_cost_R == -np.inf, log_cost_R == np.inf
        if continued_R.any() and not self.why_it_ends:
            laws = fit_curves(np.exp(self.log_cost_P[self.warm_P]), loss_RP[continued_R][:, self.warm_P])
            log_cost_R[continued_R] = np.log(laws.cost_at(target_R[continued_R]))
        beyond_R = continued_R & (log_cost_R >= self.limit)
        # A law may run a little below the points that it was fitted to.
        first_R = np.where(continued_R, self.log_cost_P[-1], self.log_cost_P[0])
        return _Reached(np.clip(log_cost_R, first_R, self.limit), before_R, continued_R, beyond_R)


def resample(curves: Curves, *, num_resamples: int = NUM_RESAMPLES) -> Resampled:
    """Raises UnpairedError, with the reason, where rows were not kept, are not the same, or are all of one unit."""
    sums = {seed: (_sums(first)[-1:], _sums(second)) for seed, (first, second) in sorted(curves.items())}
    every = [point for pair in sums.values() for points in pair for point in points]
    tokens = [{unit: num_tokens for unit, (_, num_tokens) in point.items()} for point in every]
    if any(each != tokens[0] for each in tokens):
        raise UnpairedError("the held-out rows are not the same at all points: other text, or another tokenizer")
    token_C = np.array(list(tokens[0].values()), dtype=float)
    if len(token_C) < 2:
        raise UnpairedError("all held-out rows come from one unit, so there is nothing to resample")
    count_RC = np.concatenate(list(resampled_counts(len(token_C), num_resamples)))

    def losses_RP(points: Sequence[Sums]) -> np.ndarray:
        nats_PC = np.array([[nats for nats, _ in point.values()] for point in points])
        return count_RC @ nats_PC.T / (count_RC @ token_C)[:, None]

    return Resampled(
        end_R={seed: losses_RP(first)[:, -1] for seed, (first, _) in sums.items()},
        loss_RP={seed: losses_RP(second) for seed, (_, second) in sums.items()},
        num_units=len(token_C),
        num_effective=effective_number(token_C),
    )


def compare_speed(axis: Axis, curves: Curves, resampled: Resampled | str) -> Speedup:
    """The speed-up along one axis; a text instead of resamples says why there can be no interval.

    The interval is that of `paired_interval`, of the logarithm. A resample that leaves what can be read stands at the
    limit; where more than 2.5 % do, or the interval itself would, that end of it is unknown.
    """
    scope = scope_of(len(curves))
    baselines: dict[int, _Baseline] = {}
    for seed, (first, second) in sorted(curves.items()):
        found = _baseline(axis, first, second)
        if isinstance(found, str):
            return Speedup(value=None, scope=scope, reason=found)
        baselines[seed] = found
    reached = {
        seed: each.reach(
            np.array([[point.loss for point in each.curve.points]]), np.array([curves[seed][0].points[-1].loss])
        )
        for seed, each in baselines.items()
    }
    log_S = np.array([each.log_cost_R[0] for each in reached.values()])
    beyond = [seed for seed, each in reached.items() if each.beyond_R[0]]
    before = [seed for seed, each in reached.items() if each.before_R[0]]
    mean, unread = _exp(log_S.mean()), {*beyond, *before}
    speedup = Speedup(
        value=None if unread else mean,
        scope=scope,
        extrapolated=any(each.continued_R[0] and not baselines[seed].why_it_ends for seed, each in reached.items()),
        at_least=mean if beyond and not before else None,
        at_most=mean if before and not beyond else None,
        per_seed={seed: _exp(each.log_cost_R[0]) for seed, each in reached.items() if seed not in unread},
        notes=_notes(baselines, reached),
    )
    if unread:
        why = [baselines[seed].why_it_ends for seed in beyond]
        return speedup.model_copy(update={"reason": _not_read(axis, speedup, len(curves), beyond, before, why)})
    if isinstance(resampled, str):
        return speedup.model_copy(update={"reason": resampled})
    return speedup.model_copy(update=_interval(log_S, baselines, resampled))


def _baseline(axis: Axis, first: Curve, second: Curve) -> _Baseline | str:
    """A text says why there is none: a curve is empty, a cost unknown, or a loss no number."""
    ours, theirs = known_costs(first, axis), known_costs(second, axis)
    if isinstance(ours, Reading):
        return ours.reason
    if isinstance(theirs, Reading):
        return theirs.reason
    if not np.isfinite([point.loss for point in (*first.points, *second.points)]).all():
        return "a held-out loss is not a finite number"
    warm_P = np.array([point.step >= second.train.warmup_steps for point in second.points])
    why_it_ends = ""
    if second.train.schedule not in READABLE_EARLY:
        why_it_ends = f"under schedule {second.train.schedule!r} points on the way are no ends, so it is not continued"
    elif warm_P.sum() < MIN_POINTS_TO_EXTRAPOLATE:
        why_it_ends = f"{warm_P.sum()} points after the warm-up are too few to continue it"
    return _Baseline(second, np.log([spent / ours[-1][0] for spent, _ in theirs]), warm_P, why_it_ends)


def _interval(log_S: np.ndarray, baselines: Mapping[int, _Baseline], resampled: Resampled) -> dict[str, object]:
    """Fields of a speed-up whose value is known."""
    reached = [each.reach(resampled.loss_RP[seed], resampled.end_R[seed]) for seed, each in baselines.items()]
    log_R = np.mean([each.log_cost_R for each in reached], axis=0)
    variance = bootstrap_variance(log_R, resampled.num_units)
    half = spread_of_mean(log_S, variance, resampled.num_effective).half_width
    low, high = log_S.mean() - half, log_S.mean() + half
    start = np.mean([each.log_cost_P[0] for each in baselines.values()])
    limit = np.mean([each.limit for each in baselines.values()])
    open_below = low < start or np.any([each.before_R for each in reached], axis=0).mean() > TAIL
    open_above = high > limit or np.any([each.beyond_R for each in reached], axis=0).mean() > TAIL
    if open_below or open_above:
        # What stands at a limit makes the spread smaller than it is; quantiles do not mind.
        low, high = min(low, np.quantile(log_R, TAIL)), max(high, np.quantile(log_R, 1 - TAIL))
    return {
        "low": None if open_below else _exp(low),
        "high": None if open_above else _exp(high),
        "at_most": _exp(max(start, low)) if open_below else None,
        "at_least": _exp(min(limit, high)) if open_above else None,
        "num_units": resampled.num_units,
    }


def _notes(baselines: Mapping[int, _Baseline], reached: Mapping[int, _Reached]) -> tuple[str, ...]:
    """Why a reading on the way is not what a run that stopped there would have got."""
    found = []
    for seed, each in reached.items():
        if not (each.before_R[0] or each.continued_R[0]):
            curve = baselines[seed].curve
            found.append(early_reading(curve.train, step_at(curve, baselines[seed].log_cost_P, each.log_cost_R[0])))
    return tuple(dict.fromkeys(filter(None, found)))


def _not_read(
    axis: Axis, speedup: Speedup, num_seeds: int, beyond: Sequence[int], before: Sequence[int], why: Sequence[str]
) -> str:
    """Why the value is unknown, with what is known of it."""
    words = []
    if beyond:
        least = "" if speedup.at_least is None else f" (more than {speedup.at_least:.3g} times the {COST_WORDS[axis]})"
        words.append(f"not reached{_with(beyond, num_seeds)}{least}")
    if before:
        most = "" if speedup.at_most is None else f" (less than {speedup.at_most:.3g} times the {COST_WORDS[axis]})"
        words.append(f"already lower at the first point{_with(before, num_seeds)}{most}")
    return "; ".join([*words, *dict.fromkeys(filter(None, why))])


def _with(seeds: Sequence[int], num_seeds: int) -> str:
    """Which seeds are meant, unless all are."""
    plural = "s" if len(seeds) > 1 else ""
    return "" if len(seeds) == num_seeds else f" with seed{plural} {', '.join(map(str, seeds))}"


def _sums(curve: Curve) -> list[Sums]:
    """Of every point of a curve. Raises UnpairedError where there is none, or the rows of one were not kept."""
    if not curve.points:
        raise UnpairedError("a run has no held-out curve")
    kept = {rows.step: rows for rows in curve.rows}
    found = []
    for point in curve.points:
        if point.step not in kept:
            raise UnpairedError(
                f"the held-out rows of step {point.step} were not kept, so there is nothing to resample"
            )
        rows, sums = kept[point.step], {}
        for unit, nats, tokens in zip(rows.units, rows.nats, rows.tokens, strict=True):
            before_nats, before_tokens = sums.get(unit, (0.0, 0))
            sums[unit] = (before_nats + nats, before_tokens + tokens)
        found.append(dict(sorted(sums.items())))
    return found


def _exp(value: float) -> float:
    return float(np.exp(value))
