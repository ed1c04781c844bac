import pytest

from glam.energy.account import (
    Energy,
    between,
    co2e_kilograms,
    joules_per_point,
    joules_per_token,
    megawatt_hours,
    over,
    price,
    ranged,
    share,
    total,
    weakest_method,
)
from glam.records import EnergyMethod, EnergyReading


def reading(seconds: float, joules: float | None, method: EnergyMethod = "rapl") -> EnergyReading:
    return EnergyReading(method=method, at_seconds=seconds, energy_joules=joules)


def test_a_window_is_the_difference_of_its_ends():
    assert between(reading(1, 10), reading(3, 25)).joules == 15


def test_a_sample_missing_in_the_middle_costs_nothing():
    assert over([reading(1, 10), reading(2, None), reading(3, 25)]).joules == 15


@pytest.mark.parametrize("ends", [(None, 5.0), (5.0, None)])
def test_a_sample_missing_at_an_end_makes_the_window_unknown(ends):
    assert between(reading(1, ends[0]), reading(2, ends[1])).joules is None


def test_readings_of_two_meters_or_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="have no difference"):
        between(reading(1, 1), reading(2, 2, "power_model"))
    with pytest.raises(ValueError, match="swap them"):
        between(reading(2, 1), reading(1, 2))
    with pytest.raises(ValueError, match="span no window"):
        over([reading(1, 1)])


def test_a_sum_is_as_good_as_its_weakest_part():
    whole = total([Energy(10, None, None, "rapl"), Energy(4, 2, 8, "power_model")])
    assert whole == Energy(14, 12, 18, "power_model")
    assert weakest_method(["nvml_counter", "nvml_power"]) == "nvml_power"


def test_an_unknown_part_makes_the_sum_unknown_and_never_zero():
    assert total([Energy(10, None, None, "rapl"), Energy(None, None, None, "none")]).joules is None
    assert total([]) == Energy(None, None, None, "none")


def test_measured_parts_sum_without_a_range():
    assert total([Energy(1, None, None, "rapl"), Energy(2, None, None, "rapl")]) == Energy(3, None, None, "rapl")


def test_the_papers_energy_follows_from_its_own_numbers():
    # 1,024 TPU-v4 for 574 h at 326 W and PUE 1.11: 213 MWh (GLaM, section 6).
    joules = 1024 * 574 * 3600 * 326
    assert megawatt_hours(joules, pue=1.11) == pytest.approx(213, abs=0.5)
    assert co2e_kilograms(456, 88) == pytest.approx(40_200, rel=0.01)


def test_what_is_unknown_stays_unknown():
    assert megawatt_hours(None) is None
    assert megawatt_hours(1.0, pue=None) is None
    assert co2e_kilograms(1.0, None) is None
    assert price(None, 0.3) is None
    assert price(1.0, None) is None
    assert share(Energy(None, None, None, "none"), 3).joules is None
    assert joules_per_point(None, 5.0) is None
    assert joules_per_point(5.0, None) is None
    assert joules_per_token(None, 5) is None
    assert joules_per_token(5.0, 0) is None


def test_error_bars_survive_every_conversion():
    energy = Energy(7.2e9, 3.6e9, 18e9, "power_model")
    at_site = ranged(energy, lambda joules: megawatt_hours(joules, pue=1.5))
    assert (at_site.value, at_site.low, at_site.high, at_site.method) == (3.0, 1.5, 7.5, "power_model")
    emitted = ranged(energy, lambda joules: co2e_kilograms(megawatt_hours(joules), 100.0))
    assert (emitted.value, emitted.low, emitted.high) == (200.0, 100.0, 500.0)
    paid = ranged(energy, lambda joules: price(megawatt_hours(joules), 0.25))
    assert (paid.value, paid.low, paid.high) == (500.0, 250.0, 1250.0)
    assert ranged(Energy(1.0, None, None, "rapl"), megawatt_hours).low is None


def test_a_point_above_chance_costs_its_share_and_none_that_was_not_won():
    assert joules_per_point(600.0, 12.0) == 50.0
    assert joules_per_point(600.0, 0.0) is None
    assert joules_per_point(600.0, -3.0) is None


@pytest.mark.parametrize("parts", [1, 3])
def test_equal_parts_sum_to_the_whole(parts: int):
    assert total([share(Energy(12.0, 6.0, 24.0, "rapl"), parts)] * parts) == Energy(12.0, 6.0, 24.0, "rapl")


def test_a_site_cannot_take_less_than_its_machines():
    with pytest.raises(ValueError, match=r"pue=0\.9"):
        megawatt_hours(1.0, pue=0.9)
