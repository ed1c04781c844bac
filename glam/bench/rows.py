"""From measurements to rows: what a benchmark claims, and which contestants must run for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec

from glam.bench.measure import BenchError, Contestant, Measurement, race

MIB = 1 << 20
HEAT_ROUNDS = 2
"""To choose among contestants that do the same; those of the row are measured anew."""
EXTRA = "bench"


@dataclass(frozen=True)
class Row:
    """One line of a benchmark's result."""

    name: str
    unit: str
    ours: float
    other: float
    ratio: float
    """Above 1 is better than the other, whatever the unit."""
    goal: float | None
    """Of the ratio; None: none was set."""


Measure = Callable[[Contestant, Measurement], float]


def rate(contestant: Contestant, measured: Measurement) -> float:
    """Work a second, by the median round."""
    return contestant.work / measured.median_seconds


def best_rate(contestant: Contestant, measured: Measurement) -> float:
    """Work a second, by the best round."""
    return contestant.work / min(measured.seconds)


def peak_mebibytes(_: Contestant, measured: Measurement) -> float:
    """All of it: weights, optimizer, and what calls need."""
    return measured.peak_bytes / MIB


def call_mebibytes(_: Contestant, measured: Measurement) -> float:
    """What calls need besides what was there before the first one."""
    return measured.call_bytes / MIB


def call_bytes_per_work(contestant: Contestant, measured: Measurement) -> float:
    """The same, for each token of a call."""
    return measured.call_bytes / contestant.work


def fact(name: str) -> Measure:
    """What calls found themselves."""
    return lambda _, measured: measured.facts[name]


@dataclass(frozen=True)
class Claim:
    """A row that is yet to be measured."""

    name: str
    unit: str
    ours: str
    """Name of a contestant of the race; `other` too."""
    other: str
    goal: float | None
    measure: Measure = rate
    other_measure: Measure | None = None
    """None: the same."""
    scale: float = 1.0
    """Divides both values, for units that people read."""
    less_is_better: bool = False

    def row(self, contestants: Mapping[str, Contestant], measured: Mapping[str, Measurement]) -> Row:
        ours = self.measure(contestants[self.ours], measured[self.ours]) / self.scale
        other = (self.other_measure or self.measure)(contestants[self.other], measured[self.other]) / self.scale
        ratio = other / ours if self.less_is_better else ours / other
        return Row(self.name, self.unit, ours, other, ratio, self.goal)


@dataclass(frozen=True)
class Race:
    """Contestants that run by turns, and the rows read from them."""

    contestants: Mapping[str, Contestant | Sequence[Contestant]]
    """Of several under one name, the fastest is taken."""
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Outcome:
    rows: list[Row]
    chosen: dict[str, str]
    """By row: which of several others was the fastest."""


def run(races: Sequence[Race], *, only: str = "*", rounds: int, log: Callable[[str], None]) -> Outcome:
    """Measures every row whose name fits the pattern; nothing runs that no row needs.

    Raises ValueError listing the rows where none fits, BenchError where a contestant needs what is not installed.
    """
    wanted = [(each, [claim for claim in each.claims if fnmatchcase(claim.name, only)]) for each in races]
    wanted = [(each, claims) for each, claims in wanted if claims]
    if not wanted:
        raise ValueError(
            f"no row fits {only!r}; known: {', '.join(claim.name for each in races for claim in each.claims)}"
        )
    entries = [(claims, {name: each.contestants[name] for name in _sides(claims)}) for each, claims in wanted]
    for _, contestants in entries:
        _require_packages(contestants)
    outcome = Outcome([], {})
    for claims, contestants in entries:
        log(f"measuring {', '.join(claim.name for claim in claims)}")
        taken = {name: _fastest(name, given, log) for name, given in contestants.items()}
        measured = race(taken, rounds=rounds)
        for claim in claims:
            outcome.rows.append(row := claim.row(taken, measured))
            log(str(row))
            if taken[claim.other].label:
                outcome.chosen[claim.name] = taken[claim.other].label
    return outcome


def _sides(claims: Sequence[Claim]) -> list[str]:
    return list(dict.fromkeys(name for claim in claims for name in (claim.ours, claim.other)))


def _several(given: Contestant | Sequence[Contestant]) -> Sequence[Contestant]:
    return [given] if isinstance(given, Contestant) else given


def _require_packages(contestants: Mapping[str, Contestant | Sequence[Contestant]]) -> None:
    for contestant in (each for given in contestants.values() for each in _several(given)):
        if contestant.package is not None and find_spec(contestant.package) is None:
            raise BenchError(
                f"{contestant.package} is not installed, and these rows compare with it: pip install 'glam[{EXTRA}]', "
                "or choose other rows with --only"
            )


def _fastest(name: str, given: Contestant | Sequence[Contestant], log: Callable[[str], None]) -> Contestant:
    candidates = {each.label: each for each in _several(given)}
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    heat = race(candidates, rounds=HEAT_ROUNDS)
    fastest = min(heat, key=lambda label: min(heat[label].seconds))
    log(f"{name}: {', '.join(f'{label} {min(each.seconds):.3g} s' for label, each in heat.items())}; taking {fastest}")
    return candidates[fastest]
