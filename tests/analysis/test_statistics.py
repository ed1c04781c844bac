import random

import numpy as np
import pytest

from glam.analysis.statistics import (
    Interval,
    UnpairedError,
    cluster_sums,
    effective_clusters,
    paired_interval,
    score_interval,
    with_metric,
)
from glam.records import ItemScore


def arm(values: dict[int, np.ndarray], *, num_clusters: int, weight: float = 1.0) -> dict[int, list[ItemScore]]:
    return {
        seed: [
            ItemScore(item_id=f"i{number}", cluster=f"c{number % num_clusters}", value=float(value), weight=weight)
            for number, value in enumerate(each)
        ]
        for seed, each in values.items()
    }


def difference(first: dict[int, list[ItemScore]], second: dict[int, list[ItemScore]], **options: int) -> Interval:
    return paired_interval(cluster_sums(first, second), **options)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.fixture
def pair():
    first, second = noise(1, 2, 60), noise(2, 2, 60)
    return arm(dict(enumerate(first)), num_clusters=12), arm(dict(enumerate(second)), num_clusters=12)


def test_swapping_the_arms_flips_the_sign(pair):
    there, back = difference(*pair), difference(*reversed(pair))
    assert there.value == -back.value
    assert back.low is not None
    assert back.high is not None
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_equal_arms_differ_by_exactly_nothing(pair):
    interval = difference(pair[0], pair[0])
    assert (interval.value, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_order_of_items_does_not_matter(pair):
    shuffled = tuple(
        {seed: random.Random(seed).sample(items, len(items)) for seed, items in each.items()} for each in pair
    )
    assert difference(*shuffled) == difference(*pair)


def test_estimate_is_the_difference_of_weighted_means_averaged_over_seeds():
    first = {0: [ItemScore(item_id="a", cluster="a", value=6, weight=2), ItemScore(item_id="b", cluster="b", value=4)]}
    second = {0: [ItemScore(item_id="a", cluster="a", value=3, weight=2), ItemScore(item_id="b", cluster="b", value=1)]}
    assert difference(first, second).value == pytest.approx(10 / 3 - 4 / 3)


def test_a_constant_gain_is_certain_however_noisy_the_items():
    base = noise(3, 1, 40)
    interval = difference(arm({0: base[0] + 0.1}, num_clusters=8), arm({0: base[0]}, num_clusters=8))
    assert interval.low == pytest.approx(0.1)
    assert interval.high == pytest.approx(0.1)


@pytest.mark.parametrize(("num_seeds", "scope"), [(1, "these runs"), (2, "these runs"), (3, "training")])
def test_only_three_seeds_speak_of_training(num_seeds: int, scope: str):
    values = {seed: noise(seed, 30) for seed in range(num_seeds)}
    assert difference(arm(values, num_clusters=6), arm(values, num_clusters=6)).scope == scope


def test_seeds_that_disagree_widen_the_interval():
    flat = {seed: np.zeros(40) for seed in range(3)}
    same = {seed: 0.1 + 0.01 * noise(9, 40) for seed in range(3)}
    apart = {seed: same[seed] + 0.1 * (seed - 1) for seed in range(3)}
    widths = []
    for values in (same, apart):
        interval = difference(arm(values, num_clusters=10), arm(flat, num_clusters=10))
        assert interval.low is not None
        assert interval.high is not None
        widths.append(interval.high - interval.low)
    assert widths[1] > 5 * widths[0]


def test_one_cluster_has_no_interval():
    interval = difference(arm({0: noise(1, 9)}, num_clusters=1), arm({0: noise(2, 9)}, num_clusters=1))
    assert interval.low is None
    assert interval.high is None


def test_a_giant_cluster_counts_as_few():
    items = [ItemScore(item_id=f"{n}", cluster=f"{n}", value=1, weight=1000 if n == 0 else 1) for n in range(50)]
    assert effective_clusters(cluster_sums({0: items}, {0: items})) < 1.2


def test_interval_covers_the_truth_as_often_as_it_says():
    hits, trials = 0, 200
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        gain = 0.2 + rng.normal(size=15)[np.arange(60) % 15] * 0.3 + rng.normal(size=60) * 0.5
        interval = difference(
            arm({0: gain}, num_clusters=15), arm({0: np.zeros(60)}, num_clusters=15), num_resamples=400
        )
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= 0.2 <= interval.high
    assert 0.90 <= hits / trials <= 0.99


def test_interval_over_seeds_covers_the_truth_of_training():
    hits, trials = 0, 200
    for trial in range(trials):
        rng = np.random.default_rng(1000 + trial)
        clusters = rng.normal(size=12)[np.arange(48) % 12] * 0.05
        values = {seed: 0.2 + rng.normal() * 0.2 + clusters + rng.normal(size=48) * 0.1 for seed in range(3)}
        zero = {seed: np.zeros(48) for seed in range(3)}
        interval = difference(arm(values, num_clusters=12), arm(zero, num_clusters=12), num_resamples=200)
        assert interval.low is not None
        assert interval.high is not None
        hits += interval.low <= 0.2 <= interval.high
    assert hits / trials >= 0.90


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda items: items[:-1], "different items: 4 and 3"),
        (lambda items: [*items[:-1], items[-1].model_copy(update={"weight": 7.0})], "another tokenizer"),
        (lambda items: [*items[:-1], items[-1].model_copy(update={"cluster": "z"})], "other units"),
    ],
)
def test_unpaired_items_are_refused_with_the_reason(change, message: str):
    items = arm({0: noise(1, 4)}, num_clusters=2)
    with pytest.raises(UnpairedError, match=message):
        difference(items, {0: change(items[0])})


def test_unequal_seeds_are_refused():
    items = arm({0: noise(1, 4)}, num_clusters=2)
    with pytest.raises(UnpairedError, match="seeds"):
        difference(items, {1: items[0]})


def test_an_f1_without_anything_to_divide_by_is_unknown() -> None:
    """No statement is true; one arm calls one true, the other none."""
    said, silent = (
        [ItemScore(item_id=f"i{n}", cluster=f"c{n}", value=0.0, weight=weight * n, chosen=0) for n in range(3)]
        for weight in (1.0, 0.0)
    )
    with pytest.raises(UnpairedError, match="nothing to divide by"):
        cluster_sums({0: said}, {0: silent})


def items_of(values: list[float | None], *, clusters: int | None = None) -> list[ItemScore]:
    return [
        ItemScore(item_id=f"{n}", cluster=f"{n if clusters is None else n % clusters}", value=value)
        for n, value in enumerate(values)
    ]


def test_the_error_of_independent_items_is_the_textbooks() -> None:
    found = score_interval(items_of([1.0] * 60 + [0.0] * 40), bounded=True)
    assert found is not None
    error, low, high = found.standard_error, found.low, found.high
    assert error == pytest.approx(np.sqrt(0.6 * 0.4 / 99), rel=0.05)
    assert low < 0.6 < high
    # Wilson's interval with a t quantile of 99 degrees of freedom.
    assert (low, high) == pytest.approx((0.500, 0.693), abs=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_interval_of_a_share_stays_in_bounds_and_never_vanishes(value: float) -> None:
    found = score_interval(items_of([value] * 20), bounded=True)
    assert found is not None
    error, low, high = found.standard_error, found.low, found.high
    assert error == 0
    assert 0 <= low <= value <= high <= 1
    assert 0.05 < high - low < 0.4


def test_items_of_one_cluster_that_agree_are_one_item() -> None:
    values = [float(n % 10 < 5) for n in range(100)]
    alone = score_interval(items_of(values), bounded=True)
    together = score_interval(items_of(values, clusters=10), bounded=True)
    assert alone is not None
    assert together is not None
    assert together.standard_error > 2.5 * alone.standard_error


def test_what_was_not_asked_does_not_count() -> None:
    values = [1.0, 0.0, 1.0, 1.0]
    assert score_interval(items_of([*values, None, None]), bounded=True) == score_interval(
        items_of(values), bounded=True
    )
    assert score_interval(items_of([None, None]), bounded=True) is None
    assert score_interval(items_of(values, clusters=1), bounded=True) is None


def test_another_metric_of_the_same_items_counts_each_item_for_one() -> None:
    items = [
        ItemScore(item_id=f"q{n}", cluster=f"q{n}", value=0.5, weight=3.0, others={"exact_match": float(n % 2)})
        for n in range(10)
    ]
    items.append(ItemScore(item_id="long", cluster="long", value=None))
    exact = score_interval(with_metric(items, "exact_match"), bounded=True)
    assert exact is not None
    assert exact == score_interval(items_of([float(n % 2) for n in range(10)]), bounded=True)
    assert with_metric(items, None) == items
