"""What energy readings add up to. Pure arithmetic: joules in, joules, MWh, CO2e and euros out; no torch.

Readings come from counters, so a sample missing in the middle costs nothing: only the ends of a window count.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from glam.records import EnergyMethod, EnergyReading

JOULES_PER_MWH = 3.6e9
KWH_PER_MWH = 1000
METHODS_BEST_FIRST: tuple[EnergyMethod, ...] = get_args(EnergyMethod)


@dataclass(frozen=True)
class Energy:
    """Energy with its range and how it was obtained; None is unknown."""

    joules: float | None
    low_joules: float | None
    high_joules: float | None
    method: EnergyMethod


UNKNOWN = Energy(None, None, None, "none")


@dataclass(frozen=True)
class Ranged:
    """A figure that follows from energy, in whatever unit, with its range; None is unknown."""

    value: float | None
    low: float | None
    high: float | None
    method: EnergyMethod


def between(before: EnergyReading, after: EnergyReading) -> Energy:
    """Energy of the window between two readings of one meter; unknown where either reading is.

    Raises ValueError for readings of two methods or in the wrong order: their difference means nothing.
    """
    if before.method != after.method:
        raise ValueError(f"readings by {before.method!r} and {after.method!r} have no difference; read one meter")
    if after.at_seconds < before.at_seconds:
        raise ValueError(f"reading at {after.at_seconds} s is before the one at {before.at_seconds} s; swap them")
    return Energy(
        joules=_difference(before.energy_joules, after.energy_joules),
        low_joules=_difference(before.low_joules, after.low_joules),
        high_joules=_difference(before.high_joules, after.high_joules),
        method=after.method,
    )


def over(readings: Sequence[EnergyReading]) -> Energy:
    """Energy from the first to the last reading of one meter. Raises ValueError for fewer than two."""
    if len(readings) < 2:
        raise ValueError(f"{len(readings)} reading(s) span no window; read the meter before and after")
    return between(readings[0], readings[-1])


def total(parts: Iterable[Energy]) -> Energy:
    """Sum over windows, workers or nodes: unknown where one part is, and as good as its weakest method.

    A part without a range enters the ends of the others' range with its value. The sum of no parts is unknown.
    """
    known: list[Energy] = list(parts)
    if not known:
        return UNKNOWN
    ranged = any(part.low_joules is not None for part in known)
    return Energy(
        joules=_sum(part.joules for part in known),
        low_joules=_sum(_first(part.low_joules, part.joules) for part in known) if ranged else None,
        high_joules=_sum(_first(part.high_joules, part.joules) for part in known) if ranged else None,
        method=weakest_method(part.method for part in known),
    )


def share(energy: Energy, num_parts: int) -> Energy:
    """One of equal parts."""
    return Energy(
        joules=_scaled(energy.joules, 1 / num_parts),
        low_joules=_scaled(energy.low_joules, 1 / num_parts),
        high_joules=_scaled(energy.high_joules, 1 / num_parts),
        method=energy.method,
    )


def weakest_method(methods: Iterable[EnergyMethod]) -> EnergyMethod:
    """The method that a sum of such energies must carry."""
    return METHODS_BEST_FIRST[max(METHODS_BEST_FIRST.index(method) for method in methods)]


def joules_per_token(energy_joules: float | None, tokens: int) -> float | None:
    """None where the energy is unknown or no token was seen."""
    return None if energy_joules is None or tokens == 0 else energy_joules / tokens


def joules_per_point(energy_joules: float | None, points_above_chance: float | None) -> float | None:
    """Energy of a point of a task, such as a percent of accuracy; None where one is unknown or no point was won."""
    if energy_joules is None or points_above_chance is None or points_above_chance <= 0:
        return None
    return energy_joules / points_above_chance


def ranged(energy: Energy, convert: Callable[[float | None], float | None]) -> Ranged:
    """What follows from energy, with low and high converted as the value is.

    `ranged(energy, lambda joules: price(megawatt_hours(joules, pue=1.1), 0.25))` is euros with their range.
    """
    return Ranged(convert(energy.joules), convert(energy.low_joules), convert(energy.high_joules), energy.method)


def megawatt_hours(energy_joules: float | None, *, pue: float | None = 1.0) -> float | None:
    """MWh at the site's meter: `pue` is power usage effectiveness, total over IT energy (GLaM's: 1.11).

    Raises ValueError for a PUE below 1, which no site has.
    """
    if pue is not None and pue < 1:
        raise ValueError(f"pue={pue} is below 1: a site takes at least what its machines take")
    return None if energy_joules is None or pue is None else energy_joules * pue / JOULES_PER_MWH


def co2e_kilograms(site_megawatt_hours: float | None, kilograms_per_mwh: float | None) -> float | None:
    """Emissions of the grid's mix; None where energy or intensity is unknown. GLaM's 40.2 t = 456 MWh x 88 kg/MWh."""
    if site_megawatt_hours is None or kilograms_per_mwh is None:
        return None
    return site_megawatt_hours * kilograms_per_mwh


def price(site_megawatt_hours: float | None, euros_per_kwh: float | None) -> float | None:
    """Euros at a price that the caller gives; None where energy or price is unknown."""
    if site_megawatt_hours is None or euros_per_kwh is None:
        return None
    return site_megawatt_hours * KWH_PER_MWH * euros_per_kwh


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _scaled(joules: float | None, by: float) -> float | None:
    return None if joules is None else joules * by


def _first(preferred: float | None, otherwise: float | None) -> float | None:
    return otherwise if preferred is None else preferred


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)
