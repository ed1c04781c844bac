"""Which differences between two arms are more than noise, and how large one must be for this many items to show it.

In: the paired sums of a task's items and their interval. Out: a two-sided p-value and the smallest effect that the
same test would detect; p-values of a family adjusted for how many there are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy import optimize, stats

from glam.analysis.statistics import ClusterSums, Interval

SIGNIFICANCE_LEVEL = 0.05
"""Two-sided."""
POWER = 0.80
MIN_DISCORDANT_ITEMS = 6
"""Fewer cannot reach SIGNIFICANCE_LEVEL, even if they all favour one arm: 2 * 0.5^5 is above it."""
RESOLUTION = 1e-12
"""A standard error below this fraction of its difference is rounding: every cluster differs by the same."""

Test = Literal["McNemar", "t"]


@dataclass(frozen=True)
class PairedTest:
    """A test of no difference between two arms; None where it cannot be known."""

    p_value: float | None
    test: Test | None
    minimum_detectable_effect: float | None
    """With POWER at SIGNIFICANCE_LEVEL, for this test alone; in the unit of the difference."""
    p_value_per_seed: Mapping[int, float] = field(default_factory=dict)
    """McNemar's, of each seed alone; empty where an item is not simply right or wrong, or shares its cluster."""
    discordant_pairs_per_seed: Mapping[int, int] = field(default_factory=dict)
    """Items that one arm has right and the other wrong."""


def paired_test(sums: ClusterSums, interval: Interval) -> PairedTest:
    """Tests what `interval`, which is that of `sums`, says.

    Where every item is right or wrong and a cluster of its own: McNemar's exact test. Seeds are pooled item by item:
    an item counts as often as it favours an arm in more seeds than the other, because the same item in another seed is
    no new item, and adding up the seeds' discordant pairs would count it as one. Under no difference each discordant
    item is as likely to favour either arm, by as much; the distribution of the sum is computed, not approximated. Of
    one seed that is McNemar's test.

    Elsewhere, and always where the interval speaks of training: the t statistic of the interval. McNemar's test knows
    only these models, so it would call training decided by what one set of seeds did.
    """
    seeds = sums.seeds
    discordant: dict[int, int] = {}
    per_seed: dict[int, float] = {}
    if _right_or_wrong(sums):
        difference_SI = np.rint(sums.value_ASC[0] - sums.value_ASC[1]).astype(int)
        for seed, difference_I in zip(seeds, difference_SI, strict=True):
            first_only, second_only = int((difference_I > 0).sum()), int((difference_I < 0).sum())
            discordant[seed] = first_only + second_only
            per_seed[seed] = mcnemar_p_value(first_only, second_only)
        if interval.scope == "these runs":
            net_I = difference_SI.sum(axis=0)
            effect = detectable_net(net_I) / difference_SI.size
            return PairedTest(exchange_p_value(net_I), "McNemar", effect, per_seed, discordant)
    p_value, effect = _t_test(interval)
    return PairedTest(p_value, None if p_value is None else "t", effect, per_seed, discordant)


def mcnemar_p_value(first_only: int, second_only: int) -> float:
    """Exact and two-sided, of the numbers of items that only the first and only the second arm has right."""
    discordant = first_only + second_only
    return float(stats.binomtest(first_only, discordant).pvalue) if discordant else 1.0


def exchange_p_value(net_I: np.ndarray) -> float:
    """Exact two-sided p-value of a sum of integers whose signs are fair coins: McNemar's test if they are -1, 0, 1."""
    p_value_G = _p_values(_gain_probabilities(_items_by_size(net_I), 0.5))
    gain = (int(np.abs(net_I).sum()) + int(net_I.sum())) // 2
    return float(p_value_G[gain])


def detectable_net(net_I: np.ndarray) -> float:
    """The smallest expected sum that `exchange_p_value` finds at SIGNIFICANCE_LEVEL in POWER of cases.

    The discordant items are those seen; with a larger probability they favour one arm. Where fewer than
    MIN_DISCORDANT_ITEMS were seen, which show nothing, there are that many: the effect would make them discordant.
    """
    items_M = _items_by_size(net_I)
    items_M[0] += max(0, MIN_DISCORDANT_ITEMS - int(items_M.sum()))
    significant_G = _p_values(_gain_probabilities(items_M, 0.5)) <= SIGNIFICANCE_LEVEL

    def missing_power(probability: float) -> float:
        return float(_gain_probabilities(items_M, probability)[significant_G].sum()) - POWER

    probability = float(optimize.brentq(missing_power, 0.5, 1.0, xtol=1e-6))  # pyright: ignore[reportArgumentType]
    return (2 * probability - 1) * (len(significant_G) - 1)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values (1979), in the order given; the chance of any false finding is then at most the level.

    Valid whatever the tests' dependence, as of one task at several numbers of shots. What is unknown was not tested:
    it stays unknown and does not count.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = highest
    return adjusted


def _t_test(interval: Interval) -> tuple[float | None, float | None]:
    """p-value and minimum detectable effect.

    Where all clusters differ by the same there is no spread to judge by, and no effect is known to be the smallest.
    The p-value is 1 where they do not differ at all, else that of as many signs which agree.
    """
    error, freedom = interval.standard_error, interval.degrees_of_freedom
    if error is None or freedom is None or not (math.isfinite(error) and math.isfinite(interval.value)):
        return None, None
    if error <= RESOLUTION * abs(interval.value):
        return (0.5**freedom if interval.value else 1.0), None
    quantiles = stats.t.ppf(1 - SIGNIFICANCE_LEVEL / 2, freedom) + stats.t.ppf(POWER, freedom)
    return float(2 * stats.t.sf(abs(interval.value) / error, freedom)), float(quantiles * error)


def _right_or_wrong(sums: ClusterSums) -> bool:
    """Whether each item is a cluster of its own and its value is 0 or 1."""
    alone = sums.value_ASC.shape[-1] == sums.num_items
    return alone and bool((sums.weight_ASC == 1).all() and np.isin(sums.value_ASC, (0.0, 1.0)).all())


def _items_by_size(net_I: np.ndarray) -> np.ndarray:
    """How many items favour an arm by 1, by 2, and so on."""
    return np.bincount(np.abs(net_I), minlength=2)[1:]


def _gain_probabilities(items_M: np.ndarray, probability: float) -> np.ndarray:
    """Of each gain G of the first arm, the summed sizes of the items that favour it, each with `probability`."""
    probability_G = np.ones(1)
    for size, items in enumerate(items_M, start=1):
        of_size = np.zeros(size * items + 1)
        of_size[::size] = stats.binom.pmf(np.arange(items + 1), items, probability)
        probability_G = np.convolve(probability_G, of_size)
    return probability_G


def _p_values(probability_G: np.ndarray) -> np.ndarray:
    """Two-sided, of each gain; its distribution is symmetric."""
    gain_G = np.arange(len(probability_G))
    tail_G = np.cumsum(probability_G)[np.minimum(gain_G, gain_G[::-1])]
    return np.minimum(1.0, 2 * tail_G)
