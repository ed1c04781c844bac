"""The paper's table with its ratios, and a study's figures beside it."""

from io import StringIO

import pytest
from rich.console import Console

from glam.analysis.published_rows import Cell, Row, arm_cost, average_rows, cost_rows
from glam.analysis.published_table import print_pair, print_published
from glam.energy.grid import GridIntensity
from glam.published import PUBLISHED_COSTS
from glam.records import RunSummary

GLAM_OVER_GPT3 = "GLaM, 600 B tokens / GPT-3"


def run(seed: int = 0, **changes: object) -> RunSummary:
    fields = {
        "arm": "sparse",
        "seed": seed,
        "run_fingerprint": "a" * 16,
        "total_params": 10,
        "active_params": 5,
        "flops_per_token": 30.0,
        "tokens": 1000,
        "train_loss": 1.0,
        "heldout_loss": 1.0,
        "elapsed_seconds": 1800.0,
        "tokens_per_second": 1.0,
        "energy_joules": 3.6e6,
        "energy_low_joules": 1.8e6,
        "energy_high_joules": 7.2e6,
        "energy_method": "power_model",
        "num_workers": 1,
        "threads_per_worker": 1,
    }
    return RunSummary.model_validate({**fields, **changes})


def named(rows: list[Row], quantity: str) -> Row:
    (row,) = (row for row in rows if row.quantity == quantity)
    return row


def test_published_ratios_are_those_the_paper_speaks_of() -> None:
    rows = cost_rows({})
    assert named(rows, "training energy").ratios[GLAM_OVER_GPT3] == pytest.approx(1 - 0.646, abs=5e-4)
    assert named(rows, "FLOPs per token at inference").ratios[GLAM_OVER_GPT3] == pytest.approx(1 - 0.486, abs=5e-4)
    assert named(rows, "training energy").ratios["GLaM, 280 B tokens / GPT-3"] == pytest.approx(1 / 6, abs=2e-3)
    gains = [
        named(average_rows({}), f"all, {setting}-shot").ratios[GLAM_OVER_GPT3] for setting in ("zero", "one", "few")
    ]
    assert gains == pytest.approx([1.102, 1.063, 1.044], abs=1e-3)


def test_every_published_number_says_how_sure_we_are_and_what_is_unknown_is_none() -> None:
    for row in (*cost_rows({}), *average_rows({})):
        for cell in row.cells.values():
            assert (cell.value is None) == (cell.how == "")
    assert named(cost_rows({}), "PUE").cells["GLM-130B"] == Cell(None)
    assert named(average_rows({}), "all, zero-shot").cells["GLaM, 280 B tokens"] == Cell(None)


def test_an_arm_is_the_mean_of_its_runs_with_range_and_method() -> None:
    arm = arm_cost([run(0), run(1, energy_joules=7.2e6, energy_low_joules=3.6e6, energy_high_joules=14.4e6)])
    rows = cost_rows({"sparse": arm})
    energy = named(rows, "training energy").cells["sparse"]
    assert (energy.value, energy.low, energy.high) == pytest.approx((0.0015, 0.00075, 0.003))
    assert energy.how == "power_model"
    assert named(rows, "energy per training token").cells["sparse"].value == pytest.approx(5400)
    assert named(rows, "FLOPs per token at inference").cells["sparse"] == Cell(pytest.approx(10), "counted")
    assert named(rows, "hours of training").cells["sparse"].value == 0.5
    with pytest.raises(ValueError, match="without a finished run"):
        arm_cost([])


def test_emissions_are_unknown_without_a_grid_and_energy_times_grid_with_one() -> None:
    arms = {"sparse": arm_cost([run()])}
    assert named(cost_rows(arms), "emissions of training").cells["sparse"] == Cell(None)
    grid = GridIntensity("here", 500, 2023, "made up")
    rows = cost_rows(arms, grid=grid)
    assert named(rows, "emissions of training").cells["sparse"].value == pytest.approx(0.0005)
    assert named(rows, "grid").cells["sparse"] == Cell(0.5, "here 2023", note="made up")


def test_unknown_energy_stays_unknown() -> None:
    arm = arm_cost([run(0), run(1, energy_joules=None, energy_low_joules=None, energy_high_joules=None)])
    rows = cost_rows({"sparse": arm}, grid=GridIntensity("here", 500, 2023, "made up"))
    for quantity in ("training energy", "energy per training token", "emissions of training"):
        assert named(rows, quantity).cells["sparse"].value is None


def test_pairs_have_ratios_and_averages_of_an_arm_are_shown() -> None:
    averages = {("all", "zero"): Cell(40.0, "measured")}
    arms = {"sparse": arm_cost([run()], averages), "dense": arm_cost([run(energy_joules=1.8e6)])}
    rows = [*cost_rows(arms, [("sparse", "dense")]), *average_rows(arms, [("sparse", "dense")])]
    assert named(rows, "training energy").ratios["sparse / dense"] == pytest.approx(2)
    assert named(rows, "all, zero-shot").cells["sparse"].value == 40.0
    assert named(rows, "all, zero-shot").ratios["sparse / dense"] is None
    out = StringIO()
    console = Console(file=out, width=200)
    print_published(rows, [cost.title for cost in PUBLISHED_COSTS], console)
    print_pair(rows, ("sparse", "dense"), ("sparse / dense", GLAM_OVER_GPT3), console)
    shown = " ".join(out.getvalue().split())
    assert "1.29 GWh 456 MWh 213 MWh 442 MWh 0.35 × 0.17 ×" in shown
    assert "1 kWh [500 Wh, 2 kWh] (power model)" in shown
    assert "18.7 t~" in shown
