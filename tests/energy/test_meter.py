from pathlib import Path

import pytest

from glam.energy.account import METHODS_BEST_FIRST
from glam.energy.meter import METERS, PowerModelMeter, open_meter
from glam.energy.rapl import RaplMeter


def domain(root: Path, place: str, name: str, microjoules: int, *, maximum: int = 1_000_000) -> Path:
    path = root / f"intel-rapl:{place}"
    path.mkdir()
    (path / "name").write_text(f"{name}\n")
    (path / "max_energy_range_uj").write_text(f"{maximum}\n")
    (path / "energy_uj").write_text(f"{microjoules}\n")
    return path / "energy_uj"


def opened(root: Path) -> RaplMeter:
    meter = RaplMeter.open(root)
    assert meter is not None
    return meter


def test_rapl_counts_through_a_wrap(tmp_path: Path):
    counter = domain(tmp_path, "0", "package-0", 900_000)
    meter = opened(tmp_path)
    readings = []
    for value in (950_000, 100_000, 300_000):
        counter.write_text(str(value))
        readings.append(meter.read().energy_joules)
    assert readings == pytest.approx([0.05, 0.2, 0.4])


def test_rapl_adds_packages_and_memory_and_leaves_out_what_lies_inside_them(tmp_path: Path):
    names = (("0", "package-0"), ("0:0", "core"), ("0:1", "dram"), ("1", "package-1"), ("2", "psys"))
    counters = [domain(tmp_path, place, name, 0) for place, name in names]
    meter = opened(tmp_path)
    for number, counter in enumerate(counters):
        counter.write_text(str(10**number))
    assert meter.read().energy_joules == pytest.approx((1 + 100 + 1000) / 1e6)


def test_a_counter_that_is_gone_reads_unknown_and_loses_nothing_when_it_comes_back(tmp_path: Path):
    counter = domain(tmp_path, "0", "package-0", 0)
    meter = opened(tmp_path)
    counter.unlink()
    assert meter.read().energy_joules is None
    counter.write_text("250000")
    assert meter.read().energy_joules == pytest.approx(0.25)


def test_no_counter_and_one_unreadable_counter_are_no_meter(tmp_path: Path):
    assert RaplMeter.open(tmp_path) is None
    domain(tmp_path, "0", "package-0", 0)
    domain(tmp_path, "1", "package-1", 0).unlink()
    assert RaplMeter.open(tmp_path) is None


def test_the_power_model_is_cpu_seconds_times_watts_with_its_range():
    seconds = iter((10.0, 14.0))
    meter = PowerModelMeter(cpu_seconds=lambda: next(seconds), clock=lambda: 0.0, watts_per_core=(2.0, 5.0, 10.0))
    before, after = meter.read(), meter.read()
    spent = [
        (getattr(after, end) or 0) - (getattr(before, end) or 0)
        for end in ("low_joules", "energy_joules", "high_joules")
    ]
    assert spent == [8.0, 20.0, 40.0]


def test_watts_out_of_order_are_refused():
    with pytest.raises(ValueError, match="in order"):
        PowerModelMeter(watts_per_core=(5.0, 2.0, 10.0))


@pytest.mark.parametrize("name", METERS)
def test_every_meter_that_is_here_reads_its_own_method(name: str):
    if METERS[name](()) is None:
        with pytest.raises(ValueError, match="cannot be read on this machine"):
            open_meter(name)
        return
    meter = open_meter(name)
    reading, later = meter.read(), meter.read()
    assert reading.method == meter.method == name
    assert reading.at_seconds <= later.at_seconds
    assert (reading.energy_joules is None) == (name == "none")


def test_the_best_meter_of_this_machine_is_taken():
    assert list(METERS) == ["nvml_counter", "nvml_power", "rapl", "power_model", "none"] == list(METHODS_BEST_FIRST)
    best = next(name for name, make in METERS.items() if make(()) is not None)
    assert open_meter().method == best


def test_only_a_meter_of_a_process_covers_less_than_a_node():
    assert [(name, meter.covers) for name in METERS if (meter := METERS[name](())) and meter.per_process] == [
        ("power_model", "busy cores"),
        ("none", None),
    ]


def test_an_unknown_meter_is_refused_with_what_exists():
    with pytest.raises(ValueError, match="known: nvml_counter, nvml_power, rapl, power_model, none"):
        open_meter("wattmeter")
