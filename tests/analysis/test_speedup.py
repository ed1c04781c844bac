"""The baseline is the first arm at k times the cost, so the speed-up is k."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from glam.analysis.curves import AXES, Axis, Curve
from glam.analysis.speedup import EXTRAPOLATE_TIMES, Curves, compare_speed, resample
from glam.analysis.statistics import UnpairedError
from glam.analysis.verdict import Speedup
from glam.config import TrainConfig
from glam.records import HeldoutPoint, HeldoutRows

TOKENS = np.array([16, 20, 24, 28, 16, 20, 24, 28, 16, 20, 24, 28])
"""Predicted in each row of a point; two rows a unit."""
UNITS = tuple(f"package{number // 2}" for number in range(len(TOKENS)))
SLOW = 1.35
"""Seconds a token of the first arm, in the baseline's."""
DOUBLING = tuple(100 * 2**n for n in range(8))
EVEN = tuple(range(100, 1100, 100))


def law(steps: float) -> float:
    return 2.0 + 4.0 * steps**-0.25


def curve(
    steps: tuple[int, ...],
    times: float = 1.0,
    *,
    slow: float = 1.0,
    noise_I: np.ndarray | None = None,
    shift: float = 0.0,
    **train: Any,
) -> Curve:
    """A curve that falls as `law` of `times` its steps; each row is as much harder than the mean as `noise_I` says."""
    noise_I = np.zeros(len(TOKENS)) if noise_I is None else noise_I
    points, rows = [], []
    for step in steps:
        nats_I = TOKENS * (law(times * step) + shift + noise_I)
        points.append(
            HeldoutPoint(
                step=step,
                tokens=1000 * step,
                loss=float(nats_I.sum() / TOKENS.sum()),
                elapsed_seconds=2.0 * slow * step,
                energy_joules=30.0 * slow * step,
            )
        )
        rows.append(HeldoutRows(step=step, nats=tuple(nats_I), tokens=tuple(TOKENS.tolist()), units=UNITS))
    config = {"num_steps": steps[-1], "global_batch_size": 1, "warmup_steps": 50} | train
    return Curve(tuple(points), 6.0, TrainConfig.model_validate(config), tuple(rows))


def hard(seed: int = 0) -> np.ndarray:
    """Rows differ, in a way that both arms share."""
    return 0.3 * np.random.default_rng(seed).normal(size=len(TOKENS))


def pair(times: float, *, first: tuple[int, ...] = EVEN, second: tuple[int, ...] = EVEN, **train: Any) -> Curves:
    return {0: (curve(first, times, slow=SLOW, noise_I=hard()), curve(second, noise_I=hard(), **train))}


def speed(curves: Curves, axis: Axis = "tokens", *, num_resamples: int = 400) -> Speedup:
    return compare_speed(axis, curves, resample(curves, num_resamples=num_resamples))


def ends(found: Speedup) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("times", [0.25, 1.0, 2.0, 8.0])
def test_noise_that_the_arms_share_leaves_the_true_speed_up_and_no_doubt(axis: Axis, times: float) -> None:
    found = speed(pair(times, first=DOUBLING[:4], second=DOUBLING), axis)
    expected = times / (SLOW if axis in ("seconds", "joules") else 1)
    assert found.value == pytest.approx(expected)
    assert ends(found) == pytest.approx((expected, expected))
    assert (found.extrapolated, found.reason, found.num_units) == (False, "", 6)
    assert found.per_seed == {0: pytest.approx(expected)}


def test_a_baseline_that_ends_too_early_is_continued_by_its_own_law_and_says_so() -> None:
    found = speed(pair(2.5))
    assert found.extrapolated
    assert found.value == pytest.approx(2.5, rel=1e-3)
    assert ends(found) == pytest.approx((2.5, 2.5), rel=1e-3)


def test_beyond_four_times_its_cost_is_not_guessed() -> None:
    found = speed(pair(6.0))
    assert (found.value, found.low, found.high, found.per_seed) == (None, None, None, {})
    assert found.at_least == pytest.approx(EXTRAPOLATE_TIMES)
    assert found.reason == "not reached (more than 4 times the tokens)"


def test_a_floor_above_the_loss_is_never_reached() -> None:
    better = curve(EVEN, shift=-3.0)
    assert speed({0: (better, curve(EVEN))}).at_least == pytest.approx(EXTRAPOLATE_TIMES)


@pytest.mark.parametrize(
    ("second", "train", "why"),
    [
        (EVEN[-4:], {}, "4 points after the warm-up are too few"),
        (EVEN, {"warmup_steps": 650}, "4 points after the warm-up are too few"),
        (EVEN, {"schedule": "cosine"}, "schedule 'cosine'"),
    ],
)
def test_without_a_law_the_bound_is_what_the_baseline_had(second: tuple[int, ...], train: dict, why: str) -> None:
    found = speed(pair(2.5, second=second, **train))
    assert (found.value, found.extrapolated) == (None, False)
    assert found.at_least == pytest.approx(1.0)
    assert "not reached (more than 1 times the tokens); " in found.reason
    assert why in found.reason


def test_a_baseline_that_begins_below_gives_an_upper_bound() -> None:
    found = speed(pair(0.05))
    assert (found.value, found.at_least) == (None, None)
    assert found.at_most == pytest.approx(0.1)
    assert found.reason == "already lower at the first point (less than 0.1 times the tokens)"


@pytest.mark.parametrize("axis", AXES)
def test_exchanging_the_arms_inverts_it(axis: Axis) -> None:
    """The one way is read on the curve, the other beyond its end."""
    curves = pair(2.0, first=DOUBLING, second=DOUBLING)
    there, back = speed(curves, axis), speed({seed: (two, one) for seed, (one, two) in curves.items()}, axis)
    assert there.value is not None
    assert back.value is not None
    assert there.value * back.value == pytest.approx(1.0, rel=1e-3)
    assert there.extrapolated != back.extrapolated


def noisy(seed: int, *, times: float = 1.5, num_seeds: int = 1, own: float = 0.01, between: float = 0.0) -> Curves:
    """Units that each arm finds harder or easier in its own way, and seeds that differ by themselves."""
    rng = np.random.default_rng(seed)
    shared = 0.3 * rng.normal(size=len(TOKENS))
    own_AI = [own * rng.normal(size=len(TOKENS) // 2).repeat(2) for _ in range(2)]
    return {
        number: tuple(
            curve(EVEN, arm_times, noise_I=shared + own_AI[arm], shift=between * rng.normal())
            for arm, arm_times in enumerate((times, 1.0))
        )
        for number in range(num_seeds)
    }  # pyright: ignore[reportReturnType]


def test_order_of_seeds_and_rows_does_not_matter() -> None:
    curves = noisy(1, num_seeds=3, between=0.01)
    order = random.Random(0).sample(range(len(TOKENS)), len(TOKENS))

    def shuffled(one: Curve) -> Curve:
        rows = [
            each.model_copy(
                update={name: tuple(getattr(each, name)[at] for at in order) for name in ("nats", "tokens", "units")}
            )
            for each in one.rows
        ]
        return replace(one, rows=tuple(reversed(rows)))

    turned = {seed: tuple(shuffled(one) for one in curves[seed]) for seed in reversed(tuple(curves))}
    there, back = speed(curves), speed(turned)  # pyright: ignore[reportArgumentType]
    assert back.value == there.value
    assert ends(back) == pytest.approx(ends(there))
    assert back.per_seed == there.per_seed


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    hits, trials = 0, 200
    for trial in range(trials):
        low, high = ends(speed(noisy(trial), num_resamples=200))
        hits += low <= 1.5 <= high
    assert 0.89 <= hits / trials <= 0.99


def test_intervals_over_seeds_cover_the_truth_of_training() -> None:
    hits, trials = 0, 150
    for trial in range(trials):
        found = speed(noisy(1000 + trial, times=1.2, num_seeds=3, between=0.003), num_resamples=100)
        assert found.scope == "training"
        hits += (found.low or 0.0) <= 1.2 <= (found.high or np.inf)
    assert hits / trials >= 0.9


def test_seeds_that_disagree_widen_the_interval_and_two_do_not_speak_of_training() -> None:
    same, apart, two = (
        speed(noisy(3, times=1.2, num_seeds=number, own=0.0005, between=between))
        for number, between in ((3, 0.0), (3, 0.004), (2, 0.004))
    )
    assert same.value is not None
    low, high = ends(same)
    assert (apart.high or np.inf) - (apart.low or 0) > 2 * (high - low)
    assert (same.scope, two.scope) == ("training", "these runs")


def test_an_upper_end_beyond_what_can_be_read_is_unknown_with_a_bound() -> None:
    found = speed(noisy(5, times=3.6))
    assert found.value is not None
    assert found.low is not None
    assert found.low < found.value
    assert found.high is None
    assert found.at_least == pytest.approx(EXTRAPOLATE_TIMES)


def test_one_seed_that_does_not_get_there_leaves_a_bound_of_the_mean() -> None:
    curves = {0: pair(2.0)[0], 1: pair(8.0)[0]}
    found = speed(curves)
    assert found.value is None
    assert found.at_least == pytest.approx((2.0 * EXTRAPOLATE_TIMES) ** 0.5, rel=1e-3)
    assert list(found.per_seed) == [0]
    assert found.reason.startswith("not reached with seed 1 (more than 2.83 times the tokens)")


def test_runs_from_before_rows_were_kept_have_a_value_and_no_interval() -> None:
    curves = {seed: (first, replace(second, rows=())) for seed, (first, second) in pair(0.5).items()}
    with pytest.raises(UnpairedError, match="rows of step 100 were not kept"):
        resample(curves)
    found = compare_speed("tokens", curves, "rows were not kept")
    assert found.value == pytest.approx(0.5)
    assert (found.low, found.high, found.reason) == (None, None, "rows were not kept")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": (17, *TOKENS[1:].tolist())}, "not the same at all points"),
        ({"units": ("other", *UNITS[1:])}, "not the same at all points"),
    ],
)
def test_rows_that_differ_are_refused(change: dict, message: str) -> None:
    first, second = pair(2.0)[0]
    rows = (second.rows[0].model_copy(update=change), *second.rows[1:])
    with pytest.raises(UnpairedError, match=message):
        resample({0: (first, replace(second, rows=rows))})


def test_rows_of_one_unit_cannot_be_resampled() -> None:
    def of_one(one: Curve) -> Curve:
        return replace(one, rows=tuple(each.model_copy(update={"units": ("a",) * len(TOKENS)}) for each in one.rows))

    with pytest.raises(UnpairedError, match="one unit"):
        resample({seed: (of_one(first), of_one(second)) for seed, (first, second) in pair(2.0).items()})


def test_a_run_without_a_curve_is_unknown_with_the_reason() -> None:
    first, second = pair(2.0)[0]
    curves = {0: (first, replace(second, points=(), rows=()))}
    with pytest.raises(UnpairedError, match="no held-out curve"):
        resample(curves)
    assert "no held-out curve" in compare_speed("tokens", curves, "").reason


def test_an_unknown_cost_is_unknown_with_the_reason() -> None:
    first, second = pair(1.0)[0]
    points = tuple(point.model_copy(update={"energy_joules": None}) for point in second.points)
    found = speed({0: (first, replace(second, points=points))}, "joules")
    assert (found.value, found.reason) == (None, "joules were not measured")


def test_a_loss_that_is_no_number_leaves_it_unknown() -> None:
    first, second = pair(1.0)[0]
    points = (*second.points[:-1], second.points[-1].model_copy(update={"loss": float("nan")}))
    found = speed({0: (first, replace(second, points=points))})
    assert (found.value, found.reason) == (None, "a held-out loss is not a finite number")


def test_a_schedule_that_knows_its_end_is_read_early_with_a_note() -> None:
    assert any("would have decayed more" in note for note in speed(pair(0.5, schedule="cosine")).notes)
    assert speed(pair(0.5)).notes == ()
