"""Energy: what training took, how that is known, and what it comes to elsewhere."""

import pandas as pd
import streamlit as st

from dashboard import costs, words
from dashboard.charts.energy import energy_bars, projections
from dashboard.costs import Assumptions
from dashboard.parts import choices, drawing
from dashboard.parts.study import choose_pair, choose_study
from dashboard.queries import list_verdicts, store_root
from dashboard.views.published import draw_published
from glam.analysis.formats import METHOD_WORDS, quantity
from glam.analysis.verdict import ArmSummary, Contrast
from glam.energy.account import Ranged
from glam.energy.grid import GRIDS

ESTIMATES = ("power_model",)
WATT_HOURS_PER_MWH, GRAMS_PER_KILOGRAM = 1e6, 1e3


def show() -> None:
    """The page."""
    root = store_root()
    st.title("Energy", anchor=False)
    if not list_verdicts(root):
        drawing.nothing(
            "No study is finished yet, and energy is compared arm by arm. Finish one with:", "glam run quickstart"
        )
        return
    left, right = st.columns([3, 2])
    found = choose_study(root, place=left)
    if found is None:
        return
    verdict = found[1]
    contrast = choose_pair(verdict, place=right)
    shown = None if contrast is None else (contrast.first, contrast.second)
    arms = [arm for arm in verdict.arms if shown is None or arm.arm in shown]
    assumed, region = _assumptions()
    left, right = st.columns([2, 3])
    drawing.chart(
        energy_bars(arms),
        "training energy",
        absent="The energy is unknown: this machine gave no reading. glam doctor says why.",
        place=left,
    )
    with right:
        for arm in arms:
            st.markdown(words.plain(_how(arm)))
    drawing.table(_table(arms, contrast, assumed), "energy", raw=_numbers(arms, contrast, assumed), full=True)
    st.caption(
        words.plain(
            "At the machine: what its meters cover. At the site: times the PUE. A point is a percentage point above "
            "chance, the mean over all task settings whose chance is known; its energy is that of one run."
        )
    )
    st.subheader("Published sizes", anchor=False)
    found_sizes = costs.projected(arms, assumed)
    drawing.chart(
        projections(found_sizes, [arm.arm for arm in arms]),
        "projected energy",
        absent="Nothing to project.",
        data=pd.DataFrame([vars(each) for each in found_sizes]),
    )
    st.caption(
        words.plain(
            "A projection, not a measurement: joules per training FLOP here, times the FLOPs there (three times those "
            "of the forward pass), times the PUE chosen above. Other hardware takes other joules for a FLOP: that is "
            "most of the distance. Published figures are at their own sites."
        )
    )
    if contrast is not None:
        draw_published(verdict, (contrast.first, contrast.second), GRIDS[region])


def _assumptions() -> tuple[Assumptions, str]:
    """The three controls."""
    one, two, three = st.columns(3)
    pue = choices.number(
        "PUE (site over machine)",
        "pue",
        low=1.0,
        high=3.0,
        step=0.01,
        default=1.0,
        help="1 is the machine alone; GLaM's site had 1.11.",
        place=one,
    )
    titles = {name: f"{name}: {grid.kilograms_per_mwh:g} kg CO2e/MWh ({grid.year})" for name, grid in GRIDS.items()}
    region = choices.one_of("Grid", titles, "region", default="world", place=two)
    price = choices.number("Price, money per kWh", "price", low=0.0, high=10.0, step=0.01, default=0.25, place=three)
    grid = GRIDS[region]
    st.caption(words.plain(f"Grid: {grid.source}."))
    return Assumptions(pue, grid.kilograms_per_mwh, price), region


def _how(arm: ArmSummary) -> str:
    """Measured or estimated, by what, how surely, and what the idle machine takes."""
    if arm.energy_joules is None:
        return f"{arm.arm}: unknown; no meter could be read."
    kind = "estimated" if arm.energy_method in ESTIMATES else "measured"
    range_words = "without a range"
    if arm.energy_low_joules is not None and arm.energy_high_joules is not None:
        range_words = f"between {words.energy(arm.energy_low_joules)} and {words.energy(arm.energy_high_joules)}"
    idle = "unknown" if arm.idle_watts is None else f"{words.number(arm.idle_watts, digits=1)} W, not subtracted"
    return (
        f"{arm.arm}: {words.energy(arm.energy_joules)} in {words.some(arm.num_runs, 'run')}, {kind} by "
        f"{METHOD_WORDS[arm.energy_method]}, {range_words}. Idle power: {idle}."
    )


def _figures(arm: ArmSummary, contrast: Contrast | None, assumed: Assumptions) -> list[tuple[str, Ranged, str, float]]:
    """(title, value with its range, unit, units in one of the value's)."""
    energy = costs.energy_of(arm)
    points = None if contrast is None else costs.points_above_chance(contrast, arm.arm)
    return [
        (
            "At the machine, all runs",
            costs.site_megawatt_hours(energy, Assumptions(1.0, 0.0, 0.0)),
            "Wh",
            WATT_HOURS_PER_MWH,
        ),
        ("At the site, all runs", costs.site_megawatt_hours(energy, assumed), "Wh", WATT_HOURS_PER_MWH),
        ("Emissions, CO2e", costs.emissions_kilograms(energy, assumed), "g", GRAMS_PER_KILOGRAM),
        ("Price, money", costs.money(energy, assumed), "", 1.0),
        ("Per training token", costs.per_token(arm), "J", 1.0),
        ("Per task point of a run", costs.per_point(arm, points), "J", 1.0),
    ]


def _table(arms: list[ArmSummary], contrast: Contrast | None, assumed: Assumptions) -> pd.DataFrame:
    """One column an arm."""
    columns = {arm.arm: [_shown(*each[1:]) for each in _figures(arm, contrast, assumed)] for arm in arms}
    titles = [each[0] for each in _figures(arms[0], contrast, assumed)]
    return pd.DataFrame({"": titles, **columns})


def _numbers(arms: list[ArmSummary], contrast: Contrast | None, assumed: Assumptions) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "arm": arm.arm,
                "figure": title,
                "unit": unit or "money",
                **{name: _times(getattr(found, name), times) for name in ("value", "low", "high")},
                "method": found.method,
            }
            for arm in arms
            for title, found, unit, times in _figures(arm, contrast, assumed)
        ]
    )


def _shown(found: Ranged, unit: str, times: float) -> str:
    if found.value is None:
        return words.UNKNOWN
    value, low, high = (_times(each, times) for each in (found.value, found.low, found.high))
    ends = "" if low is None or high is None or low >= high else f" [{_amount(low, unit)}, {_amount(high, unit)}]"
    return _amount(value, unit) + ends


def _amount(value: float | None, unit: str) -> str:
    """Money has no prefixes."""
    return quantity(value, unit) if unit or value is None else f"{value:.3g}"


def _times(value: float | None, times: float) -> float | None:
    return None if value is None else value * times
