"""A verdict's numbers as plain English: what they show, and what they do not."""

from collections.abc import Mapping, Sequence
from typing import Any

from glam.analysis.cost_sentences import speedup_finding
from glam.analysis.curves import COST_WORDS
from glam.analysis.formats import UNKNOWN
from glam.analysis.significance import SIGNIFICANCE_LEVEL
from glam.analysis.verdict import ArmSummary, AxisComparison, Contrast, Estimate, ModelComparison, TaskComparison
from glam.records import RunSummary


def conclusion(first: str, second: str, loss: TaskComparison, *, num_seeds: int, equal_tokens: bool) -> str:
    """One sentence on held-out loss, with its interval and what it speaks of."""
    where = "at equal tokens on this held-out text" if equal_tokens else "at the end of training (tokens differ)"
    difference = loss.difference
    if difference.value is None:
        return f"Unknown: {first} and {second} cannot be compared on held-out loss ({difference.reason})."
    if loss.better == "undecided":
        doubt = f"the interval is unknown ({difference.reason})"
        if loss.winner != "undecided":
            doubt = "among so many comparisons that is not sure (Holm's correction)"
        elif difference.low is not None:
            doubt = f"the interval includes zero: {too_noisy(loss)}"
        head = f"Undecided: {first} minus {second} is {interval(difference)} {where}, and {doubt}"
    else:
        better, worse, sign = (first, second, -1) if loss.better == "first" else (second, first, 1)
        head = f"{better} is better than {worse} by {interval(difference, sign=sign)} {where}"
    return f"{head}; {_speaks_of(difference, num_seeds)}."


def interval(estimate: Estimate, *, sign: int = 1, unit: str = " nats per token") -> str:
    """`0.0450 nats per token [0.0300, 0.0600]`; the ends are left out where unknown."""
    if estimate.value is None:
        return "unknown"
    text = f"{sign * estimate.value:.4f}{unit}"
    if estimate.low is None or estimate.high is None:
        return text
    low, high = sorted((sign * estimate.low, sign * estimate.high))
    return f"{text} [{low:.4f}, {high:.4f}]"


def points(estimate: Estimate) -> str:
    """A difference of fractions in percentage points, with its interval."""
    if estimate.value is None:
        return interval(estimate)
    text = f"{100 * estimate.value:+.1f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"


def winner_name(contrast: Contrast | ModelComparison, task: TaskComparison) -> str:
    """The arm that the adjusted p-value favours, or why there is none: noise, or `undecided` where none is known."""
    if task.decided is False:
        return too_noisy(task)
    return {"first": contrast.first, "second": contrast.second, "undecided": "undecided"}[task.better]


def too_noisy(task: TaskComparison) -> str:
    """What a cell without a decision could have shown.

    It is never called a tie: no study says which difference would be too small to matter.
    """
    if task.p_value is not None and task.p_value <= SIGNIFICANCE_LEVEL:
        return "not after the correction of Holm"
    if task.minimum_detectable_effect is None:
        return "too noisy at this size"
    return f"too noisy at this size (would show {detectable(task)})"


def detectable(task: TaskComparison) -> str:
    """The smallest difference that a cell would have shown, in what its task is measured in."""
    effect = task.minimum_detectable_effect
    if effect is None:
        return UNKNOWN
    if not task.higher_is_better:
        return f"{effect:.4f} nats per token"
    return f"{100 * effect:.1f} points" if effect <= 1 else "none there can be"


def findings(first: str, second: str, axes: Sequence[AxisComparison], tasks: Sequence[TaskComparison]) -> list[str]:
    """Costs at equal loss, the speed-up, and what the tasks say."""
    found = []
    known = [axis for axis in axes if axis.cost_ratio is not None]
    if known:
        costs = ", ".join(f"{axis.cost_ratio:.2f} times the {COST_WORDS[axis.axis]}" for axis in known)
        notes = dict.fromkeys(note for axis in known for note in axis.notes)
        doubt = f" With care: {'; '.join(notes)}." if notes else ""
        found.append(f"To the same held-out loss {first} takes {costs} of {second}.{doubt}")
    if (speed := speedup_finding(first, second, axes)) is not None:
        found.append(speed)
    if tasks:
        better = [task.better for task in tasks]
        found.append(
            f"Of {len(tasks)} task settings {first} is better in {better.count('first')}, {second} in "
            f"{better.count('second')}, and {better.count('undecided')} are undecided{_noise(tasks)}, by paired tests "
            "at 5 % with Holm's correction over every cell of the study."
        )
    return found


def _noise(tasks: Sequence[TaskComparison]) -> str:
    """The smallest and the largest of what the undecided would have shown."""
    noisy = sorted(
        (task.minimum_detectable_effect, detectable(task))
        for task in tasks
        if task.decided is False and task.minimum_detectable_effect is not None
    )
    if not noisy:
        return ""
    ends = dict.fromkeys((noisy[0][1], noisy[-1][1]))
    return f" (too noisy at this size: would show {' to '.join(ends)})"


def overlap_caveats(data: Mapping[str, Any]) -> list[str]:
    """Of a selected corpus' report: the benchmarks of which training text holds something."""
    return [
        f"Training text shares a {data['overlap']['ngram']}-gram with {each['num_touched']} of {each['num_examples']} "
        f"examples of {each['task']}."
        for each in data.get("benchmarks", ())
        if each["num_touched"]
    ]


def detour_caveats(summaries: Sequence[RunSummary]) -> list[str]:
    """Of runs that went back to a checkpoint and met other batches from there on than the other arms of their seed."""
    found = []
    for each in summaries:
        if each.detours:
            places = "; ".join(f"at step {one.left_at} to step {one.step} ({one.reason})" for one in each.detours)
            found.append(
                f"{each.arm} seed {each.seed} went back {places}, and saw other batches from there on than the other "
                "arms of that seed."
            )
    return found


def caveats(arms: Sequence[ArmSummary], contrasts: Sequence[Contrast], numerics: Sequence[str]) -> list[str]:
    """What a reader must know before quoting a number."""
    found = []
    for contrast in contrasts:
        signs = {value > 0 for value in contrast.loss.difference.per_seed.values()}
        if len(signs) > 1:
            found.append(f"{contrast.first} against {contrast.second}: the seeds disagree about which is better.")
        if len(contrast.tasks) > 1:
            found.append(
                f"{contrast.first} against {contrast.second}: of {len(contrast.tasks)} intervals at 95 % about "
                f"{0.05 * len(contrast.tasks):.1f} exclude zero by chance alone; that an arm is better is said only "
                "where the p-value holds after Holm's correction."
            )
        short = [
            task
            for task in contrast.tasks
            if not task.counted_beside
            and task.mean_demonstrations is not None
            and task.mean_demonstrations < task.num_shots
        ]
        if short:
            worst = ", ".join(f"{task.title} {task.num_shots}-shot: {task.mean_demonstrations:.1f}" for task in short)
            found.append(f"Not all demonstrations fitted the sequence length; shown on average: {worst}.")
        for axis in contrast.axes:
            found += [f"{COST_WORDS[axis.axis].capitalize()}: {note}." for note in axis.notes]
    if any(arm.energy_method == "power_model" for arm in arms):
        found.append("Energy is CPU time times assumed watts a core, not a measurement; its range is stated.")
    if any(arm.energy_joules is None for arm in arms):
        found.append("Energy is unknown for at least one run.")
    if numerics:
        found.append(f"The arms' numerics differ, which was allowed: {'; '.join(numerics)}.")
    return list(dict.fromkeys(found))


def _speaks_of(difference: Estimate, num_seeds: int) -> str:
    if difference.scope == "training":
        return f"{num_seeds} seeds an arm, so this speaks of training under this recipe"
    runs = "this one run" if num_seeds == 1 else f"these {num_seeds} runs"
    return f"this speaks of {runs} an arm, not of training"
