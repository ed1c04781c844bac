"""How sure a difference between two arms is: paired, over clusters of items and over seeds.

Both arms are judged on the same items, so what is resampled is the pair. Items of one cluster (package, site)
resemble each other, so clusters are resampled, not items. Seeds speak of training only when there are three.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from glam.records import ItemScore, ScoreInterval

CONFIDENCE = 0.95
NUM_RESAMPLES = 4000
RNG_SEED = 20211213
"""Fixed, so that the same scores give the same interval."""
MIN_SEEDS_FOR_TRAINING = 3
MAX_CHUNK_ELEMENTS = 4_000_000

Scope = Literal["these runs", "training"]


class UnpairedError(ValueError):
    """The arms were not judged on the same items; the message says how they differ."""


@dataclass(frozen=True)
class Interval:
    """A difference, first arm minus second, with its 95 % interval; None where it cannot be known."""

    value: float
    low: float | None
    high: float | None
    scope: Scope
    """`these runs`: other text of this kind, the same trained models. `training`: other seeds as well."""
    per_seed: dict[int, float]
    num_clusters: int
    num_items: int
    standard_error: float | None
    """Of the value; half the interval is a t quantile of `degrees_of_freedom` times it."""
    degrees_of_freedom: float | None


@dataclass(frozen=True)
class ClusterSums:
    """Sums over the items of each cluster: S seeds, C clusters; arm 0 is the first."""

    seeds: tuple[int, ...]
    value_ASC: np.ndarray
    weight_ASC: np.ndarray
    num_items: int

    def differences_S(self, count_C: np.ndarray | None = None) -> np.ndarray:
        """Difference of the arms' values for each seed; `count_C` [..., C] says how often each cluster counts."""
        counts = np.ones(self.value_ASC.shape[-1]) if count_C is None else count_C
        ratio_AS = [ratio(counts @ value.T, counts @ weight.T) for value, weight in self._arms()]
        return ratio_AS[0] - ratio_AS[1]

    def _arms(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return zip(self.value_ASC, self.weight_ASC, strict=True)


def paired_interval(sums: ClusterSums, *, num_resamples: int = NUM_RESAMPLES) -> Interval:
    """Difference of a task's value, sum(value) / sum(weight), averaged over seeds: first arm minus second.

    The interval is the estimate plus and minus a t quantile times a standard error: for `these runs` the bootstrap's
    over clusters, for `training` with the spread between seeds added. A percentile interval of three seeds would cover
    75 % and claim 95. Degrees of freedom are those of the smaller sample. One cluster gives no interval.
    """
    per_seed_S = sums.differences_S()
    value = float(per_seed_S.mean())
    num_clusters = sums.value_ASC.shape[-1]
    spread = None
    if num_clusters > 1:
        estimate_R = np.concatenate(
            [sums.differences_S(count_RC).mean(axis=-1) for count_RC in resampled_counts(num_clusters, num_resamples)]
        )
        spread = spread_of_mean(per_seed_S, bootstrap_variance(estimate_R, num_clusters), effective_clusters(sums))
    return Interval(
        value=value,
        low=None if spread is None else value - spread.half_width,
        high=None if spread is None else value + spread.half_width,
        scope=scope_of(len(sums.seeds)),
        per_seed={seed: float(each) for seed, each in zip(sums.seeds, per_seed_S, strict=True)},
        num_clusters=num_clusters,
        num_items=sums.num_items,
        standard_error=None if spread is None else spread.standard_error,
        degrees_of_freedom=None if spread is None else spread.degrees_of_freedom,
    )


@dataclass(frozen=True)
class Spread:
    """How far from the truth a mean over seeds may be."""

    standard_error: float
    degrees_of_freedom: float
    half_width: float
    """Of the 95 % interval."""


def spread_of_mean(per_seed_S: np.ndarray, cluster_variance: float, num_effective: float) -> Spread:
    """Of the mean over seeds, whose variance under resampling of clusters is known.

    `num_effective` clusters of equal weight are behind it. The spread between seeds is added where their number lets
    `scope_of` speak of training.
    """
    freedom, variance = num_effective - 1, cluster_variance
    if scope_of(len(per_seed_S)) == "training":
        variance += float(per_seed_S.var(ddof=1)) / len(per_seed_S)
        freedom = min(freedom, len(per_seed_S) - 1)
    freedom, error = max(1.0, freedom), float(np.sqrt(variance))
    return Spread(error, freedom, float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error)


def scope_of(num_seeds: int) -> Scope:
    """What an interval of so many seeds speaks of."""
    return "training" if num_seeds >= MIN_SEEDS_FOR_TRAINING else "these runs"


def score_interval(items: Sequence[ItemScore], *, bounded: bool) -> ScoreInterval | None:
    """Of a task's value on one model, by the bootstrap over clusters.

    The interval of a value between 0 and 1 (`bounded`) is Wilson's for as many independent items as would have that
    standard error, so that it stays between them and does not shrink to nothing where no item is right; of another
    value it is the value plus and minus a t quantile times the error. Items that were not asked do not count. None
    where fewer than two clusters are left.
    """
    answered = [item for item in items if item.value is not None]
    names = sorted({item.cluster for item in answered})
    if len(names) < 2:
        return None
    place = {name: index for index, name in enumerate(names)}
    value_C, weight_C = np.zeros((2, len(names)))
    for item in answered:
        value_C[place[item.cluster]] += item.value
        weight_C[place[item.cluster]] += item.weight
    if not weight_C.sum():
        return None
    estimates = [
        ratio(count_RC @ value_C, count_RC @ weight_C) for count_RC in resampled_counts(len(names), NUM_RESAMPLES)
    ]
    error = float(np.sqrt(bootstrap_variance(np.concatenate(estimates), len(names))))
    clusters = effective_number(weight_C)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, max(1.0, clusters - 1)))
    value = float(value_C.sum() / weight_C.sum())
    if not bounded:
        half = quantile * error
        return ScoreInterval(standard_error=error, low=value - half, high=value + half)
    independent = value * (1 - value) / error**2 if error else clusters
    shrink = quantile**2 / independent
    centre, half = (
        value + shrink / 2,
        quantile * np.sqrt(value * (1 - value) / independent + shrink / (4 * independent)),
    )
    low, high = ((centre + sign * float(half)) / (1 + shrink) for sign in (-1, 1))
    # Rounding may leave an end a trifle on the wrong side of a value of 0 or 1.
    return ScoreInterval(standard_error=error, low=min(value, max(0.0, low)), high=max(value, min(1.0, high)))


def with_metric(items: Sequence[ItemScore], metric: str | None) -> Sequence[ItemScore]:
    """The items as another of their metrics counts them, each for one; None: as they are."""
    if metric is None:
        return items
    return [
        item if item.value is None else item.model_copy(update={"value": item.others[metric], "weight": 1.0})
        for item in items
    ]


def effective_clusters(sums: ClusterSums) -> float:
    """Clusters of equal weight that would average as well."""
    return effective_number(sums.weight_ASC.sum(axis=(0, 1)))


def effective_number(weight_C: np.ndarray) -> float:
    """(sum w)^2 / sum w^2: of one giant among dwarfs it is one."""
    return float(weight_C.sum() ** 2 / (weight_C**2).sum())


def cluster_sums(first: Mapping[int, Sequence[ItemScore]], second: Mapping[int, Sequence[ItemScore]]) -> ClusterSums:
    """Pairs the items of two arms, by seed, and sums them by cluster, in an order that their own does not change.

    Raises UnpairedError where seeds, items, clusters or weights differ.
    """
    if set(first) != set(second):
        raise UnpairedError(f"seeds {sorted(first)} of one arm are not the seeds {sorted(second)} of the other")
    seeds = tuple(sorted(first))
    by_id = [[{item.item_id: item for item in arm[seed]} for seed in seeds] for arm in (first, second)]
    reference = by_id[0][0]
    for arm in by_id:
        for seed, items in zip(seeds, arm, strict=True):
            _check_same_items(reference, items, seed)
    if not reference:
        raise UnpairedError("there are no items to compare")
    order = sorted(name for name, item in reference.items() if item.value is not None)
    if not order:
        raise UnpairedError("no item fits the rows of these models")
    names = sorted({reference[each].cluster for each in order})
    place = {name: index for index, name in enumerate(names)}
    cluster_I = np.array([place[reference[each].cluster] for each in order])
    sums = np.zeros((2, 2, len(seeds), len(names)))
    for arm, per_seed in enumerate(by_id):
        for row, items in enumerate(per_seed):
            np.add.at(sums[0, arm, row], cluster_I, [items[each].value or 0.0 for each in order])
            np.add.at(sums[1, arm, row], cluster_I, [items[each].weight for each in order])
    if not sums[1].sum(axis=-1).all():
        raise UnpairedError("F1 has nothing to divide by: no statement is true, and one arm calls none true")
    return ClusterSums(seeds, sums[0], sums[1], len(order))


def resampled_counts(num_clusters: int, num_resamples: int) -> Iterator[np.ndarray]:
    """[R, C] how often each cluster counts in each resample, as many at a time as memory has room for."""
    rng = np.random.default_rng(RNG_SEED)
    chunk = max(1, MAX_CHUNK_ELEMENTS // num_clusters)
    for start in range(0, num_resamples, chunk):
        size = min(chunk, num_resamples - start)
        yield rng.multinomial(num_clusters, np.full(num_clusters, 1 / num_clusters), size=size).astype(float)


def bootstrap_variance(estimate_R: np.ndarray, num_clusters: int) -> float:
    """Variance of an estimate over resamples of clusters, with the n / (n - 1) that a bootstrap lacks."""
    return float(np.nanvar(estimate_R)) * num_clusters / (num_clusters - 1)


def ratio(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """NaN where nothing weighs, as in a resample without one statement that is or was called true."""
    return np.divide(values, weights, out=np.full(np.shape(values), np.nan), where=np.asarray(weights) > 0)


def _check_same_items(reference: Mapping[str, ItemScore], items: Mapping[str, ItemScore], seed: int) -> None:
    if set(reference) != set(items):
        common = len(set(reference) & set(items))
        raise UnpairedError(
            f"the arms were judged on different items: {len(reference)} and {len(items)} (seed {seed}), "
            f"{common} in common"
        )
    for name, one in reference.items():
        two = items[name]
        # What F1a divides by depends on what the model says; it is no property of the item.
        other_weight = one.chosen is None and one.weight != two.weight
        if one.cluster != two.cluster or other_weight or (one.value is None) != (two.value is None):
            raise UnpairedError(
                f"item {name!r} (seed {seed}) has cluster {one.cluster!r} and {one.weight:g} tokens in one arm, "
                f"{two.cluster!r} and {two.weight:g} in the other: other units, another tokenizer or shorter rows"
            )
