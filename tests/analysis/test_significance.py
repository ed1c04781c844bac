import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from glam.analysis.significance import PairedTest, exchange_p_value, holm, mcnemar_p_value, paired_test
from glam.analysis.statistics import cluster_sums, paired_interval
from glam.records import ItemScore


def arm(values_SI: np.ndarray, *, num_clusters: int | None = None) -> dict[int, list[ItemScore]]:
    """Items by seed, each a cluster of its own unless there are fewer clusters."""
    clusters = num_clusters or values_SI.shape[-1]
    return {
        seed: [
            ItemScore.model_construct(item_id=f"i{place}", cluster=f"c{place % clusters}", value=float(value))
            for place, value in enumerate(values)
        ]
        for seed, values in enumerate(np.atleast_2d(values_SI))
    }


def judged(
    first: np.ndarray, second: np.ndarray, *, num_clusters: int | None = None, resamples: int = 50
) -> PairedTest:
    sums = cluster_sums(arm(first, num_clusters=num_clusters), arm(second, num_clusters=num_clusters))
    return paired_test(sums, paired_interval(sums, num_resamples=resamples))


def answers(first_only: int, second_only: int, alike: int) -> tuple[np.ndarray, np.ndarray]:
    first = np.array([1.0] * first_only + [0.0] * second_only + [1.0] * alike)
    second = np.array([0.0] * first_only + [1.0] * second_only + [1.0] * alike)
    return first, second


def certain(test: PairedTest) -> tuple[float, float]:
    assert test.p_value is not None
    assert test.minimum_detectable_effect is not None
    return test.p_value, test.minimum_detectable_effect


def test_holm_equals_the_textbook():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; the last may not fall below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_monotone_and_never_below_the_raw_value():
    p_values = np.random.default_rng(0).beta(0.3, 2, size=40).tolist()
    adjusted = holm(p_values)
    for raw, one in zip(p_values, adjusted, strict=True):
        assert one is not None
        assert raw <= one <= 1
    in_order = [adjusted[place] or 0.0 for place in np.argsort(p_values)]
    assert in_order == sorted(in_order)


def test_holm_does_not_mind_the_order_of_cells():
    cells: list[float | None] = [0.2, 0.001, None, 0.03, 0.03, 0.9]
    expected = dict(zip(cells, holm(cells), strict=True))
    for order in itertools.islice(itertools.permutations(cells), 0, 720, 37):
        assert dict(zip(order, holm(order), strict=True)) == expected


def test_what_was_not_tested_does_not_count():
    assert holm([0.02, None, 0.5]) == pytest.approx([0.04, None, 0.5])
    assert holm([None]) == [None]
    assert holm([]) == []


def test_mcnemar_equals_a_hand_computed_example():
    # 1 against 8 discordant items: 2 * (C(9, 0) + C(9, 1)) / 2^9.
    test = judged(*answers(1, 8, 20))
    assert test.test == "McNemar"
    assert test.p_value == pytest.approx(20 / 512)
    assert test.p_value_per_seed == {0: pytest.approx(20 / 512)}
    assert test.discordant_pairs_per_seed == {0: 9}


@pytest.mark.parametrize(
    ("first_only", "second_only"), [(0, 0), (1, 0), (3, 3), (2, 11), (40, 21), (0, 30), (600, 500)]
)
def test_mcnemar_of_one_seed_agrees_with_scipy(first_only: int, second_only: int):
    expected = stats.binomtest(first_only, first_only + second_only).pvalue if first_only + second_only else 1.0
    assert mcnemar_p_value(first_only, second_only) == pytest.approx(expected)
    net_I = np.array([1] * first_only + [-1] * second_only + [0] * 5)
    assert exchange_p_value(net_I) == pytest.approx(expected)


def test_seeds_are_pooled_over_every_exchange_of_arms():
    net_I = np.array([2, 1, -1, 2, 0, 1, 1, 2])
    sums = [abs(np.dot(signs, np.abs(net_I))) for signs in itertools.product((-1, 1), repeat=len(net_I))]
    assert exchange_p_value(net_I) == pytest.approx(np.mean(np.array(sums) >= abs(net_I.sum())))


def test_a_seed_that_answers_alike_is_no_further_evidence():
    first, second = answers(12, 4, 30)
    once, twice = judged(first, second), judged(np.stack([first, first]), np.stack([second, second]))
    assert certain(twice) == pytest.approx(certain(once))


def test_three_seeds_are_judged_with_their_spread():
    first = np.stack([np.ones(60), np.ones(60), np.zeros(60)])
    test = judged(first, np.zeros((3, 60)))
    assert test.test == "t"
    assert test.p_value is not None
    assert test.p_value > 0.05
    assert max(test.p_value_per_seed[seed] for seed in (0, 1)) < 1e-9


def test_items_that_share_clusters_or_are_not_right_or_wrong_have_the_t_statistic():
    rng = np.random.default_rng(4)
    first, second = rng.integers(0, 2, (2, 60)).astype(float)
    assert judged(first, second, num_clusters=20).test == "t"
    assert judged(first / 2, second).test == "t"
    assert judged(first / 2, second).p_value_per_seed == {}


def test_the_t_test_agrees_with_the_interval():
    for trial in range(40):
        rng = np.random.default_rng(trial)
        gain = 0.25 + rng.normal(size=24)
        sums = cluster_sums(arm(gain), arm(np.zeros(24)))
        interval = paired_interval(sums, num_resamples=200)
        p_value, _ = certain(paired_test(sums, interval))
        assert interval.low is not None
        assert interval.high is not None
        assert (p_value < 0.05) == (not interval.low <= 0 <= interval.high)


@pytest.mark.parametrize("num_clusters", [None, 12])
@pytest.mark.parametrize("num_seeds", [1, 2, 3])
def test_equal_models_are_never_told_apart(num_clusters: int | None, num_seeds: int):
    values_SI = np.random.default_rng(2).integers(0, 2, (num_seeds, 36)).astype(float)
    test = judged(values_SI, values_SI, num_clusters=num_clusters)
    assert test.p_value == 1.0
    assert test.minimum_detectable_effect is None or test.minimum_detectable_effect > 0


def test_swapping_the_arms_changes_nothing():
    first, second = answers(9, 21, 40)
    assert judged(first, second) == judged(second, first)


def test_one_cluster_is_unknown():
    test = judged(np.array([1.0, 0.0, 1.0]), np.zeros(3), num_clusters=1)
    assert (test.test, test.p_value, test.minimum_detectable_effect) == (None, None, None)


def test_clusters_that_all_differ_by_the_same_count_as_their_signs():
    test = judged(np.full(12, 0.7), np.full(12, 0.2), num_clusters=4)
    assert test.p_value == pytest.approx(1 / 8)
    assert test.minimum_detectable_effect is None


def test_few_discordant_items_do_not_promise_much():
    _, effect = certain(judged(*answers(1, 0, 99)))
    assert 0.05 < effect <= 0.06, "six of a hundred are the fewest that can be significant"


@pytest.mark.parametrize("right_or_wrong", [True, False])
def test_the_detectable_effect_falls_with_the_root_of_the_number_of_clusters(right_or_wrong: bool):
    first, second = answers(30, 24, 90)
    if not right_or_wrong:
        first = 0.5 * first + 0.01
    _, once = certain(judged(first, second, resamples=2000))
    _, four_times = certain(judged(np.tile(first, 4), np.tile(second, 4), resamples=2000))
    assert once / four_times == pytest.approx(2, rel=0.08)


def _rejections(p_values: Sequence[float]) -> float:
    return float(np.mean(np.array(p_values) <= 0.05))


def test_an_effect_of_that_size_is_found_in_four_of_five_cases_of_mcnemar():
    rng, size, rate = np.random.default_rng(11), 200, 0.3
    _, effect = certain(judged(*answers(30, 30, 140)))
    found = []
    for _ in range(400):
        first_only, second_only, _ = rng.multinomial(size, [(rate + effect) / 2, (rate - effect) / 2, 1 - rate])
        found.append(mcnemar_p_value(first_only, second_only))
    assert 0.65 <= _rejections(found) <= 0.92


def test_an_effect_of_that_size_is_found_in_four_of_five_cases_of_t():
    rng = np.random.default_rng(12)
    noise = rng.normal(size=(200, 40))
    _, effect = certain(judged((noise[0] - noise[0].mean()) / noise[0].std(ddof=1), np.zeros(40), resamples=1000))
    found = [judged(each + effect, np.zeros(40), resamples=100).p_value or 0.0 for each in noise]
    assert 0.65 <= _rejections(found) <= 0.92


def test_equal_arms_seldom_have_any_task_decided():
    """Six cells a contrast, two by McNemar on one seed, two on two seeds, two by t, all without an effect."""
    wrong, replicates = 0, 250
    for replicate in range(replicates):
        rng = np.random.default_rng(replicate)
        p_values: list[float | None] = []
        for num_seeds in (1, 1, 2, 2):
            ability_I = rng.normal(size=60)
            right_ASI = ability_I + rng.normal(size=(2, 1, 60)) + 0.5 * rng.normal(size=(2, num_seeds, 60)) > 0
            p_values.append(exchange_p_value((right_ASI[0].astype(int) - right_ASI[1]).sum(axis=0)))
        for _ in range(2):
            first, second = rng.normal(size=(2, 20))
            p_values.append(judged(first, second, resamples=100).p_value)
        random.Random(replicate).shuffle(p_values)
        wrong += any(p is not None and p <= 0.05 for p in holm(p_values))
    assert wrong / replicates <= 0.08
