"""Two models, or two arms over their seeds, on the same items: paired differences, and what they decide."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glam.analysis.evidence import RunEvidence, Score, TaskKey
from glam.analysis.significance import SIGNIFICANCE_LEVEL, PairedTest, holm, paired_test
from glam.analysis.statistics import Interval, UnpairedError, cluster_sums, paired_interval, with_metric
from glam.analysis.verdict import Estimate, ModelComparison, TaskComparison, Winner

HELDOUT_TASK: TaskKey = ("heldout", 0)
LOWER_IS_BETTER = ("cross_entropy",)

Runs = Mapping[int, RunEvidence]
"""One arm's runs by seed."""


@dataclass(frozen=True)
class Judged:
    """What was scored of an arm, or of a single model."""

    name: str
    scores: Mapping[int, Mapping[TaskKey, Score]]
    """By seed; a single model has one."""

    @classmethod
    def of_arm(cls, name: str, runs: Runs) -> "Judged":
        """All runs of an arm."""
        return cls(name, {seed: run.scores for seed, run in runs.items()})

    def on(self, key: TaskKey) -> list[Score | None]:
        """Of each seed; None where it was not scored."""
        return [scores.get(key) for scores in self.scores.values()]


def compare_models(first: Judged, second: Judged) -> ModelComparison:
    """Everything that either was scored on, decided: held-out loss by itself, all else by Holm's correction."""
    asked = any(score is not None for each in (first, second) for score in each.on(HELDOUT_TASK))
    losses = [compare_task(first, second, HELDOUT_TASK)] if asked else []
    (decided,), (tasks,) = decide([losses]), decide([compare_tasks(first, second)])
    return ModelComparison(
        first=first.name, second=second.name, loss=decided[0] if decided else None, tasks=tuple(tasks)
    )


def compare_tasks(first: Judged, second: Judged) -> list[TaskComparison]:
    """Every task at every number of shots that either was scored on, but for held-out loss: not yet decided.

    A task whose metrics are several entries of the paper's averages has a comparison of each.
    """
    scored = [key for each in (first, second) for scores in each.scores.values() for key in scores]
    keys = [key for key in dict.fromkeys(scored) if key != HELDOUT_TASK]
    return [
        compare_task(first, second, key, metric) for key in keys for metric in (None, *_counted(first, second, key))
    ]


def compare_task(first: Judged, second: Judged, key: TaskKey, metric: str | None = None) -> TaskComparison:
    """Both values and their paired difference; unknown, with the reason, where one was not scored.

    `metric` is one of the result's `counted`; None is the task's own.
    """
    task, num_shots = key
    scores = [first.on(key), second.on(key)]
    known = [score.result for each in scores for score in each if score is not None]
    own = metric is None
    name = metric or (known[0].metric if known else "unknown")
    difference, tested = _difference(first, second, key, metric)
    higher_is_better = name not in LOWER_IS_BETTER
    return TaskComparison(
        task=task,
        num_shots=num_shots,
        metric=name,
        counted_beside=not own,
        higher_is_better=higher_is_better,
        first=mean([_value(score, metric) for score in scores[0]]),
        second=mean([_value(score, metric) for score in scores[1]]),
        difference=difference,
        winner=winner(difference, higher_is_better=higher_is_better),
        num_examples=known[0].num_examples if known else None,
        chance=known[0].chance if known and own else None,
        majority=known[0].majority if known and own else None,
        first_bits_per_byte=mean([_bits(score) for score in scores[0]]),
        second_bits_per_byte=mean([_bits(score) for score in scores[1]]),
        mean_demonstrations=mean([result.mean_demonstrations for result in known]),
        test=tested.test,
        p_value=tested.p_value,
        p_value_per_seed=dict(tested.p_value_per_seed),
        discordant_pairs_per_seed=dict(tested.discordant_pairs_per_seed),
        minimum_detectable_effect=tested.minimum_detectable_effect,
    )


def compare_loss(first: str, ours: Runs, second: str, theirs: Runs, *, same_data: bool) -> TaskComparison:
    """Held-out loss: the `heldout` task's, or, where that was not run, the ends of the curves without an interval."""
    loss = compare_task(Judged.of_arm(first, ours), Judged.of_arm(second, theirs), HELDOUT_TASK)
    if any(HELDOUT_TASK in run.scores for arm in (ours, theirs) for run in arm.values()) or not same_data:
        return loss
    ends = {
        seed: (ours[seed].summary.heldout_loss, theirs[seed].summary.heldout_loss) for seed in ours if seed in theirs
    }
    per_seed = {seed: one - two for seed, (one, two) in ends.items() if one is not None and two is not None}
    whole = len(per_seed) == len(ours)
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


def decide(contrasts: Sequence[Sequence[TaskComparison]]) -> list[list[TaskComparison]]:
    """The cells of every contrast, p-values adjusted by Holm's correction for all of them, and what that decides.

    A study has two families: the tasks of all its contrasts, and their held-out losses. Loss is the one question that
    a study names beforehand, and its verdict must not hang on how many tasks were asked beside it; nor should tasks
    profit from a place in the order that a sure difference in loss takes.
    """
    adjusted = iter(holm([cell.p_value for cells in contrasts for cell in cells]))
    return [[_decided(cell, next(adjusted)) for cell in cells] for cells in contrasts]


def winner(difference: Estimate, *, higher_is_better: bool) -> Winner:
    """Whom the interval favours: undecided where it holds zero or is unknown."""
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return "undecided"
    return "first" if (difference.low > 0) == higher_is_better else "second"


def mean(values: Sequence[float | None]) -> float | None:
    """None where a value is unknown, or there is none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def total(values: Sequence[float | None]) -> float | None:
    """None where a value is unknown, or there is none."""
    average = mean(values)
    return None if average is None else math.fsum(value for value in values if value is not None)


def _decided(cell: TaskComparison, p_value: float | None) -> TaskComparison:
    decided = None if p_value is None else p_value <= SIGNIFICANCE_LEVEL
    return cell.model_copy(update={"p_value_adjusted": p_value, "decided": decided})


def _counted(first: Judged, second: Judged, key: TaskKey) -> list[str]:
    known = [score.result for each in (first, second) for score in each.on(key) if score is not None]
    return list(dict.fromkeys(metric for result in known for metric in result.counted))


def _difference(first: Judged, second: Judged, key: TaskKey, metric: str | None) -> tuple[Estimate, PairedTest]:
    items = []
    for each in (first, second):
        for seed, score in zip(each.scores, each.on(key), strict=True):
            if score is None:
                which = each.name if len(each.scores) == 1 else f"{each.name} seed {seed}"
                return _unknown(f"{which} was not scored on it")
        items.append({seed: with_metric(scores[key].items, metric) for seed, scores in each.scores.items()})
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


def _value(score: Score | None, metric: str | None) -> float | None:
    if score is None:
        return None
    return score.result.value if metric is None else score.result.others.get(metric)


def _bits(score: Score | None) -> float | None:
    return None if score is None else score.result.bits_per_byte
