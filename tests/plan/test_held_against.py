"""Plans beside published runs."""

import pytest

from glam.plan.held_against import PREDICTION_TOLERANCE, Row, rows
from glam.published import PUBLISHED_COSTS

ROWS = rows()


def find(run: str, what: str, kind: str) -> Row:
    (row,) = (row for row in ROWS if (row.run, row.what, row.kind) == (run, what, kind))
    return row


def test_every_published_run_has_its_energy_multiplied_again_and_predicted() -> None:
    for cost in PUBLISHED_COSTS:
        for kind in ("identity", "prediction"):
            assert find(cost.title, "energy", kind).published == cost.training_mwh.value


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.kind == "identity"], ids=lambda row: f"{row.run} {row.what}"
)
def test_published_arithmetic_is_met_to_its_digits(row: Row) -> None:
    assert row.within, row


def test_identities_are_the_product_of_what_they_name() -> None:
    assert find("GLaM, 280 B tokens", "energy", "identity").ours == pytest.approx(1024 * 574 * 326e-6 * 1.11)
    assert find("GLM-130B", "energy", "identity").ours == pytest.approx(768 * 1440 * 400e-6)


def test_a_prediction_that_misses_says_what_is_not_public() -> None:
    predictions = [row for row in ROWS if row.kind == "prediction"]
    assert {row.tolerance for row in predictions if row.what != "training FLOPs"} == {PREDICTION_TOLERANCE}
    assert all(row.note for row in predictions if not row.within)


def test_flops_of_gpt3_are_met_within_what_attention_adds() -> None:
    row = find("GPT-3", "training FLOPs", "prediction")
    assert row.within
    assert row.deviation > 0


def test_energy_of_a_prediction_follows_its_hours() -> None:
    for cost in (cost for cost in PUBLISHED_COSTS if cost.hours.tag != "derived"):
        hours, energy = (find(cost.title, what, "prediction").ours for what in ("time", "energy"))
        pue = 1.0 if cost.pue is None else cost.pue.value
        kilowatts = cost.num_accelerators.value * cost.watts_per_accelerator.value / 1000
        assert energy == pytest.approx(hours * kilowatts * pue / 1000)
