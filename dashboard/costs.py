"""What the energy of an arm comes to under assumptions that a person chooses, and at published sizes.

The arithmetic is `glam.energy.account`'s; here it meets verdicts and published costs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboard.charts.energy import Projection
from glam.analysis.verdict import ArmSummary, Contrast
from glam.energy.account import Energy, Ranged, co2e_kilograms, joules_per_point, megawatt_hours, price, ranged, share
from glam.published import PUBLISHED_COSTS

TRAINING_OVER_FORWARD = 3
"""FLOPs: forward once, backward twice its cost."""


@dataclass(frozen=True)
class Assumptions:
    """Of the site where energy is used."""

    pue: float
    """Power usage effectiveness: total over IT energy."""
    kilograms_per_mwh: float
    """CO2e of the grid."""
    price_per_kwh: float
    """In whatever money."""


def energy_of(arm: ArmSummary) -> Energy:
    """Of all its runs."""
    return Energy(arm.energy_joules, arm.energy_low_joules, arm.energy_high_joules, arm.energy_method)


def site_megawatt_hours(energy: Energy, assumed: Assumptions) -> Ranged:
    return ranged(energy, lambda joules: megawatt_hours(joules, pue=assumed.pue))


def emissions_kilograms(energy: Energy, assumed: Assumptions) -> Ranged:
    """kg CO2e."""
    return ranged(energy, _of_site(assumed, lambda mwh: co2e_kilograms(mwh, assumed.kilograms_per_mwh)))


def money(energy: Energy, assumed: Assumptions) -> Ranged:
    """In the money of the price."""
    return ranged(energy, _of_site(assumed, lambda mwh: price(mwh, assumed.price_per_kwh)))


def per_token(arm: ArmSummary) -> Ranged:
    """Joules."""
    tokens = arm.tokens_per_run * arm.num_runs
    return ranged(energy_of(arm), lambda joules: None if joules is None or not tokens else joules / tokens)


def points_above_chance(contrast: Contrast, arm: str) -> float | None:
    """Percentage points, mean over task settings with a known chance; None where there is none."""
    known = [
        100 * (value - task.chance)
        for task in contrast.tasks
        if task.chance is not None and (value := task.first if arm == contrast.first else task.second) is not None
    ]
    return sum(known) / len(known) if known else None


def per_point(arm: ArmSummary, points: float | None) -> Ranged:
    """Joules of one run for each point above chance."""
    return ranged(share(energy_of(arm), arm.num_runs), lambda joules: joules_per_point(joules, points))


def projected(arms: Sequence[ArmSummary], assumed: Assumptions) -> list[Projection]:
    """Published training runs, and what each arm's joules per FLOP would make of their FLOPs, at the site assumed."""
    found = []
    for cost in PUBLISHED_COSTS:
        found.append(Projection(cost.title, "published", cost.training_mwh.value))
        if cost.flops_per_token is None:
            continue
        flops = TRAINING_OVER_FORWARD * cost.flops_per_token.value * cost.tokens.value
        for arm in arms:
            own_flops = arm.flops_per_token * arm.tokens_per_run * arm.num_runs
            if own_flops <= 0:
                continue
            times = flops / own_flops
            there = ranged(energy_of(arm), lambda joules, times=times: None if joules is None else joules * times)
            at_site = [megawatt_hours(each, pue=assumed.pue) for each in (there.value, there.low, there.high)]
            if at_site[0] is not None:
                found.append(Projection(cost.title, arm.arm, at_site[0], at_site[1], at_site[2]))
    return found


def _of_site(
    assumed: Assumptions, convert: Callable[[float | None], float | None]
) -> Callable[[float | None], float | None]:
    return lambda joules: convert(megawatt_hours(joules, pue=assumed.pue))
