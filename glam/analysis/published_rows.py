"""The paper's own table, GPT-3 beside GLaM, and beside it what the arms of a study took: rows of numbers, each with how
it was obtained.

Pure arithmetic: published numbers, records of runs and averages in, rows out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import get_args

from glam.energy.account import Energy, Ranged, co2e_kilograms, megawatt_hours, ranged, share, total
from glam.energy.grid import GridIntensity
from glam.published import (
    PUBLISHED_COSTS,
    AverageOf,
    Model,
    PublishedCost,
    PublishedNumber,
    Setting,
    published_average,
)
from glam.records import RunSummary

JOULES_PER_MWH = 3.6e9
FORWARD_SHARE = 1 / 3
"""Of training FLOPs: forward once, backward twice its cost (glam.counting)."""
SECONDS_PER_HOUR = 3600
KILOGRAMS_PER_TONNE = 1000
OF_THE_WHOLE_TRAINING = {"gpt3_175b": "GPT-3", "glam_64b_64e": "GLaM, 600 B tokens"}
"""Titles of the costs whose models have the published averages."""
MODELS: dict[str, Model] = {name: name for name in get_args(Model)}


@dataclass(frozen=True)
class Cell:
    """A number, how it was obtained, and its range; a value of None is unknown."""

    value: float | None
    how: str = ""
    """A tag of `glam.published`, a method of energy, `measured` or `counted`."""
    low: float | None = None
    high: float | None = None
    note: str | None = None


UNKNOWN = Cell(None)


@dataclass(frozen=True)
class Row:
    """One quantity of everything in the table."""

    quantity: str
    unit: str
    cells: Mapping[str, Cell]
    """By title of the published cost, then by arm."""
    ratios: Mapping[str, float | None]
    """By `one / other`."""


@dataclass(frozen=True)
class ArmCost:
    """What a trained arm took: means over its runs."""

    tokens: float
    energy: Energy
    hours: float
    flops_per_token: float
    """At inference, forward, counted."""
    num_runs: int
    averages: Mapping[tuple[AverageOf, Setting], Cell] = field(default_factory=dict)
    """In per cent, as published ones."""


def arm_cost(runs: Sequence[RunSummary], averages: Mapping[tuple[AverageOf, Setting], Cell] | None = None) -> ArmCost:
    """Of one run or several seeds. Raises ValueError for none."""
    if not runs:
        raise ValueError("an arm without a finished run took nothing that is known")
    energy = total(
        Energy(run.energy_joules, run.energy_low_joules, run.energy_high_joules, run.energy_method) for run in runs
    )
    return ArmCost(
        tokens=sum(run.tokens for run in runs) / len(runs),
        energy=share(energy, len(runs)),
        hours=sum(run.elapsed_seconds for run in runs) / len(runs) / SECONDS_PER_HOUR,
        flops_per_token=runs[0].flops_per_token * FORWARD_SHARE,
        num_runs=len(runs),
        averages=averages or {},
    )


def cost_rows(
    arms: Mapping[str, ArmCost], pairs: Sequence[tuple[str, str]] = (), grid: GridIntensity | None = None
) -> list[Row]:
    """Costs of the published models and of these arms, with the ratios of `pairs`; emissions of arms take a grid."""
    rows = []
    for quantity, unit, published, ours in COSTS:
        cells = {cost.title: published(cost) for cost in PUBLISHED_COSTS}
        cells |= {name: ours(arm, grid) for name, arm in arms.items()}
        rows.append(_row(quantity, unit, cells, pairs))
    return rows


def average_rows(arms: Mapping[str, ArmCost], pairs: Sequence[tuple[str, str]] = ()) -> list[Row]:
    """The paper's averages over its 29 tasks, of the published models and of these arms."""
    rows = []
    for of, setting in product(get_args(AverageOf), get_args(Setting)):
        cells = {cost.title: _published_average(cost, of, setting) for cost in PUBLISHED_COSTS}
        cells |= {name: arm.averages.get((of, setting), UNKNOWN) for name, arm in arms.items()}
        rows.append(_row(f"{of}, {setting}-shot", "%", cells, pairs))
    return rows


def _row(quantity: str, unit: str, cells: Mapping[str, Cell], pairs: Sequence[tuple[str, str]]) -> Row:
    first, *others = (cost.title for cost in PUBLISHED_COSTS if cost.model in OF_THE_WHOLE_TRAINING)
    compared = [*((other, first) for other in others), *pairs]
    ratios = {f"{one} / {two}": _ratio(cells[one].value, cells[two].value) for one, two in compared}
    return Row(quantity, unit, cells, ratios)


def _ratio(one: float | None, two: float | None) -> float | None:
    return None if one is None or not two else one / two


def _of(name: str) -> Callable[[PublishedCost], Cell]:
    def cell(cost: PublishedCost) -> Cell:
        number: PublishedNumber | None = getattr(cost, name)
        return UNKNOWN if number is None else Cell(number.value, number.tag, note=number.note)

    return cell


def _published_joules_per_token(cost: PublishedCost) -> Cell:
    return Cell(cost.training_mwh.value * JOULES_PER_MWH / cost.tokens.value, "derived")


def _published_average(cost: PublishedCost, of: AverageOf, setting: Setting) -> Cell:
    if OF_THE_WHOLE_TRAINING.get(cost.model) != cost.title:
        return UNKNOWN
    found = published_average(MODELS[cost.model], of, setting)
    return UNKNOWN if found is None else Cell(found.score, found.tag, note=found.note)


def _ranged(found: Ranged) -> Cell:
    return Cell(found.value, found.method, found.low, found.high)


def _energy(arm: ArmCost, _: GridIntensity | None) -> Cell:
    return _ranged(ranged(arm.energy, megawatt_hours))


def _joules_per_token(arm: ArmCost, _: GridIntensity | None) -> Cell:
    return _ranged(ranged(arm.energy, lambda joules: None if joules is None or not arm.tokens else joules / arm.tokens))


def _emissions(arm: ArmCost, grid: GridIntensity | None) -> Cell:
    if grid is None:
        return UNKNOWN

    def tonnes(joules: float | None) -> float | None:
        kilograms = co2e_kilograms(megawatt_hours(joules), grid.kilograms_per_mwh)
        return None if kilograms is None else kilograms / KILOGRAMS_PER_TONNE

    return _ranged(ranged(arm.energy, tonnes))


def _grid(_: ArmCost, grid: GridIntensity | None) -> Cell:
    if grid is None:
        return UNKNOWN
    return Cell(grid.tonnes_per_mwh, f"{grid.region} {grid.year}", note=grid.source)


def _unknown(_: ArmCost, __: GridIntensity | None) -> Cell:
    return UNKNOWN


COSTS: tuple[tuple[str, str, Callable[[PublishedCost], Cell], Callable[[ArmCost, GridIntensity | None], Cell]], ...] = (
    ("training tokens", "tokens", _of("tokens"), lambda arm, _: Cell(arm.tokens, "measured")),
    ("training energy", "MWh", _of("training_mwh"), _energy),
    ("energy per training token", "J", _published_joules_per_token, _joules_per_token),
    ("PUE", "", _of("pue"), _unknown),
    ("grid", "tCO2e/MWh", _of("grid_tonnes_per_mwh"), _grid),
    ("emissions of training", "tCO2e", _of("net_tonnes_co2e"), _emissions),
    (
        "FLOPs per token at inference",
        "FLOPs",
        _of("flops_per_token"),
        lambda arm, _: Cell(arm.flops_per_token, "counted"),
    ),
    ("accelerators", "", _of("num_accelerators"), _unknown),
    ("hours of training", "h", _of("hours"), lambda arm, _: Cell(arm.hours, "measured")),
    ("power of an accelerator", "W", _of("watts_per_accelerator"), _unknown),
)
"""(quantity, unit, of a published cost, of an arm). Ours has no PUE: energy is at the machine, not at the site."""
