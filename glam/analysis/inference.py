"""Two arms writing text on one machine, batch size by batch size: ratios, first arm over second, and who loses at what.

Pure arithmetic on `InferenceResult`s. Speed and energy are undecided where the rounds disagree about who is better;
weights are counted, so they always decide.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Literal

from glam.records import InferencePoint, InferenceResult, Record

Outcome = Literal["loses", "wins", "equal", "undecided", "unknown"]
"""Of the first arm."""
SAME = ("machine", "prompt_tokens", "new_tokens", "threads")
EQUAL = 0.005
"""Ratios that are shown as 1.00 are no difference."""
UNSTEADY = 1.5
"""Slowest round over fastest, from which on something else must have been running."""
SPEED, ENERGY, MEMORY = "speed", "energy", "memory"


class BatchComparison(Record):
    """Both arms at one batch size; ratios are the first arm's figure over the second's, None where one is unknown."""

    batch_size: int
    tokens_per_second: float | None
    tokens_per_second_low: float | None
    """With `tokens_per_second_high` the smallest and largest ratio of a round; of any two rounds where the arms did not
    take turns."""
    tokens_per_second_high: float | None
    first_token_seconds: float | None
    joules_per_token: float | None
    joules_per_token_low: float | None
    joules_per_token_high: float | None
    flops_per_token: float | None
    weight_bytes: float | None
    cache_bytes: float | None
    peak_bytes: float | None
    outcomes: dict[str, Outcome]
    """By speed, energy and memory (of weights)."""
    sentence: str


class InferenceComparison(Record):
    """One arm against another."""

    first: str
    second: str
    batches: tuple[BatchComparison, ...]
    notes: tuple[str, ...]
    """What to know before quoting a ratio."""


def compare_inference(first: str, one: InferenceResult, second: str, two: InferenceResult) -> InferenceComparison:
    """`first` and `second` are the arms' names; batch sizes that only one of them has are left out.

    Raises ValueError for measurements with other settings or on other machines: their ratio means nothing.
    """
    if different := [name for name in SAME if getattr(one, name) != getattr(two, name)]:
        raise ValueError(
            f"{first} and {second} were not measured alike: "
            + "; ".join(f"{name} {getattr(one, name)} and {getattr(two, name)}" for name in different)
        )
    took_turns = one.session == two.session
    others = {point.batch_size: point for point in two.points}
    notes = []
    if not took_turns:
        notes.append(
            f"{first} and {second} did not take turns: what else the machine did may have fallen on one of them."
        )
    if one.prompts != two.prompts:
        notes.append(f"{first} read {one.prompts}, {second} {two.prompts}.")
    return InferenceComparison(
        first=first,
        second=second,
        batches=tuple(
            _batch(first, point, second, others[point.batch_size], took_turns)
            for point in one.points
            if point.batch_size in others
        ),
        notes=tuple(notes),
    )


def unsteady(results: Mapping[str, InferenceResult]) -> list[str]:
    """Of results by the arms' names: where the machine seems to have had something else to do."""
    return [
        f"The slowest round of {arm} at batch {point.batch_size} took {slower:.1f} times its fastest: something else "
        "was running. To measure it again remove its folder."
        for arm, result in results.items()
        for point in result.points
        if (slower := _ratio(max(point.call_seconds, default=0), min(point.call_seconds, default=0)) or 1) > UNSTEADY
    ]


def _batch(first: str, one: InferencePoint, second: str, two: InferencePoint, took_turns: bool) -> BatchComparison:
    speed = _ratio(one.tokens_per_second, two.tokens_per_second)
    slowest, fastest = _ends(two.call_seconds, one.call_seconds, took_turns)
    known_alike = one.energy_method == two.energy_method
    energy = _ratio(one.joules_per_token, two.joules_per_token) if known_alike else None
    least, most = _ends(one.call_joules, two.call_joules, took_turns) if known_alike else (None, None)
    memory = _ratio(one.weight_bytes, two.weight_bytes)
    outcomes: dict[str, Outcome] = {
        SPEED: _outcome(speed, slowest, fastest, more_is_better=True),
        ENERGY: _outcome(energy, least, most, more_is_better=False),
        MEMORY: _outcome(memory, memory, memory, more_is_better=False),
    }
    return BatchComparison(
        batch_size=one.batch_size,
        tokens_per_second=speed,
        tokens_per_second_low=slowest,
        tokens_per_second_high=fastest,
        first_token_seconds=_ratio(one.first_token_seconds, two.first_token_seconds),
        joules_per_token=energy,
        joules_per_token_low=least,
        joules_per_token_high=most,
        flops_per_token=_ratio(one.flops_per_token, two.flops_per_token),
        weight_bytes=memory,
        cache_bytes=_ratio(one.cache_bytes, two.cache_bytes),
        peak_bytes=_ratio(one.peak_bytes, two.peak_bytes),
        outcomes=outcomes,
        sentence=_sentence(first, second, one.batch_size, (speed, energy, memory), outcomes),
    )


def _ratio(one: float | None, two: float | None) -> float | None:
    return None if one is None or not two else one / two


def _ends(
    one: Sequence[float | None], two: Sequence[float | None], took_turns: bool
) -> tuple[float | None, float | None]:
    """The smallest and the largest ratio of a round, or of any two without turns; unknown where one round's is."""
    ratios = [_ratio(*pair) for pair in (zip(one, two, strict=False) if took_turns else product(one, two))]
    known = [ratio for ratio in ratios if ratio is not None]
    return (min(known), max(known)) if known and len(known) == len(ratios) else (None, None)


def _outcome(ratio: float | None, low: float | None, high: float | None, *, more_is_better: bool) -> Outcome:
    if ratio is None:
        return "unknown"
    if abs(ratio - 1) < EQUAL:
        return "equal"
    if low is not None and high is not None and low <= 1 <= high:
        return "undecided"
    return "wins" if (ratio > 1) == more_is_better else "loses"


def _sentence(
    first: str,
    second: str,
    batch_size: int,
    ratios: tuple[float | None, float | None, float | None],
    outcomes: dict[str, Outcome],
) -> str:
    speed, energy, memory = ratios
    known = "an unknown number of" if speed is None else _times(speed)
    joules = "an unknown number of joules a token" if energy is None else f"{_times(energy)} the joules a token"
    weights = "unknown memory for weights" if memory is None else f"{_times(memory)} the memory for weights"
    ends = [
        words(_and([name for name, each in outcomes.items() if each == outcome]))
        for outcome, words in ENDINGS.items()
        if outcome in outcomes.values()
    ]
    subject = f"{first} {ends[0]}" if ends else f"nothing here tells {first} and {second} apart"
    return (
        f"At batch {batch_size} {first} writes {known} the tokens per second of {second}, with {joules} and {weights}: "
        f"{', '.join([subject, *ends[1:]])}."
    )


ENDINGS: dict[Outcome, Callable[[str], str]] = {
    "loses": lambda names: f"loses on {names}",
    "wins": lambda names: f"wins on {names}",
    "undecided": lambda names: f"is undecided on {names}, for the rounds disagree",
}


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times"


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
