"""Energy as records say it: fields of results, and what a piece of work used."""

from collections.abc import Sequence
from typing import Protocol, TypedDict

from glam.energy.account import Energy, total
from glam.records import EnergyCovers, EnergyMethod, EnergyUse


class EnergyFields(TypedDict):
    """As records name them."""

    energy_joules: float | None
    energy_low_joules: float | None
    energy_high_joules: float | None
    energy_method: EnergyMethod


class Metered(Protocol):
    """A record with these fields."""

    @property
    def energy_joules(self) -> float | None: ...
    @property
    def energy_low_joules(self) -> float | None: ...
    @property
    def energy_high_joules(self) -> float | None: ...
    @property
    def energy_method(self) -> EnergyMethod: ...


def energy_of(record: Metered) -> Energy:
    """What a record says."""
    return Energy(record.energy_joules, record.energy_low_joules, record.energy_high_joules, record.energy_method)


def energy_fields(energy: Energy) -> EnergyFields:
    """For a record to say."""
    return EnergyFields(
        energy_joules=energy.joules,
        energy_low_joules=energy.low_joules,
        energy_high_joules=energy.high_joules,
        energy_method=energy.method,
    )


def use(energy: Energy, seconds: float, covers: EnergyCovers | None) -> EnergyUse:
    """The record of what a piece of work used."""
    return EnergyUse(
        method=energy.method,
        covers=covers,
        energy_joules=energy.joules,
        low_joules=energy.low_joules,
        high_joules=energy.high_joules,
        seconds=seconds,
    )


def total_use(parts: Sequence[EnergyUse]) -> EnergyUse:
    """The sum of records, as `total`; what it covers is known where all parts cover the same."""
    energy = total(Energy(part.energy_joules, part.low_joules, part.high_joules, part.method) for part in parts)
    covered: set[EnergyCovers | None] = {part.covers for part in parts}
    return use(energy, sum(part.seconds for part in parts), covered.pop() if len(covered) == 1 else None)
