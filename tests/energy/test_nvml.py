"""GPUs are counted where they count, sampled where they do not, and unknown once one of them is gone."""

import threading

import pytest
from fake_gpus import FakeGpu, FakeNvml

from glam.energy.account import between
from glam.energy.meter import METERS, open_meter
from glam.energy.nvml import GpuCounterMeter, GpuPowerMeter, open_gpus

NEVER = 1e6
"""Seconds between samples in the background, so that every sample is a reading's."""


@pytest.fixture
def two() -> FakeNvml:
    return FakeNvml({"GPU-a": FakeGpu(5_000, 100_000), "GPU-b": FakeGpu(70_000, 50_000)})


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sampled(library: FakeNvml, clock: Time) -> GpuPowerMeter:
    return GpuPowerMeter(library, list(library.gpus), clock=clock, every_seconds=NEVER)


def test_a_window_is_what_all_gpus_have_counted_and_its_range_is_the_value(two: FakeNvml):
    meter = GpuCounterMeter(two, ["GPU-a", "GPU-b"])
    before = meter.read()
    two.gpus["GPU-a"].millijoules, two.gpus["GPU-b"].millijoules = 6_000, 70_500
    used = between(before, meter.read())
    assert (used.joules, used.low_joules, used.high_joules) == pytest.approx((1.5, 1.5, 1.5))


def test_gpus_that_others_work_on_are_not_counted(two: FakeNvml):
    meter = GpuCounterMeter(two, ["GPU-a"])
    before = meter.read()
    two.gpus["GPU-b"].millijoules = 90_000
    assert between(before, meter.read()).joules == 0


def test_a_counter_that_went_back_is_unknown_from_then_on(two: FakeNvml):
    meter = GpuCounterMeter(two, list(two.gpus))
    before = meter.read()
    two.gpus["GPU-a"].millijoules = 10
    assert meter.read().energy_joules is None
    two.gpus["GPU-a"].millijoules = 900_000
    assert between(before, meter.read()).joules is None


@pytest.mark.parametrize("kind", [GpuCounterMeter, GpuPowerMeter])
def test_a_gpu_that_dies_midway_is_unknown_from_then_on_and_never_zero(kind, two: FakeNvml):
    meter = kind(two, list(two.gpus))
    assert meter.read().energy_joules is not None
    two.gpus["GPU-b"].dead = True
    assert [meter.read().energy_joules for _ in range(2)] == [None, None]
    two.gpus["GPU-b"].dead = False
    reading = meter.read()
    assert (reading.energy_joules, reading.low_joules, reading.high_joules) == (None, None, None)


def test_power_is_integrated_by_trapezoid_over_all_gpus_with_its_accuracy_as_range(two: FakeNvml):
    clock = Time()
    meter = sampled(two, clock)
    before = meter.read()
    clock.now, two.gpus["GPU-a"].milliwatts = 2.0, 200_000
    used = between(before, meter.read())
    assert used.joules == pytest.approx(2.0 * (150 + 250) / 2)
    assert (used.low_joules, used.high_joules) == pytest.approx((380, 420))


def test_a_missing_sample_is_bridged_over_the_time_that_passed(two: FakeNvml):
    clock = Time()
    meter = sampled(two, clock)
    before = meter.read()
    for clock.now in (0.1, 0.2, 7.2):
        reading = meter.read()
    assert between(before, reading).joules == pytest.approx(7.2 * 150)


def test_power_is_sampled_between_readings_and_not_before_the_first(two: FakeNvml):
    enough = threading.Event()

    class Counting(FakeNvml):
        def nvmlDeviceGetPowerUsage(self, handle: FakeGpu, /) -> int:
            watts = super().nvmlDeviceGetPowerUsage(handle)
            if self.num_samples > 20:
                enough.set()
            return watts

    library = Counting(two.gpus)
    meter = GpuPowerMeter(library, ["GPU-a"], every_seconds=0.001)
    assert library.num_samples == 1  # that it can be read at all
    first = meter.read()
    assert enough.wait(timeout=30)
    assert (between(first, meter.read()).joules or 0) > 0
    two.gpus["GPU-a"].dead = True  # ends the sampling


def test_one_gpu_without_a_counter_makes_the_whole_node_sampled(two: FakeNvml, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("glam.energy.meter.METERS", METERS | opened_with(two))
    assert open_meter(gpus=["GPU-a", "GPU-b"]).method == "nvml_counter"
    two.gpus["GPU-b"].millijoules = None
    assert open_meter(gpus=["GPU-a", "GPU-b"]).method == "nvml_power"
    assert open_meter(gpus=["GPU-a"]).method == "nvml_counter"


def test_work_on_gpus_that_no_meter_sees_is_unknown_and_not_what_processors_took(
    two: FakeNvml, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("glam.energy.meter.METERS", METERS | opened_with(two))
    two.gpus["GPU-b"] = FakeGpu(None, None)
    for gpus in (["GPU-a", "GPU-b"], ["GPU-elsewhere"]):
        assert open_meter(gpus=gpus).method == "none"


def test_work_without_gpus_asks_none_even_where_there_are_some():
    def load() -> FakeNvml:
        raise AssertionError("no GPU is used")

    assert open_gpus(GpuCounterMeter, [], load=load) is None


def test_without_a_driver_there_is_no_meter():
    assert open_gpus(GpuCounterMeter, ["GPU-a"], load=lambda: None) is None


def opened_with(library: FakeNvml) -> dict:
    return {
        "nvml_counter": lambda gpus: open_gpus(GpuCounterMeter, gpus, load=lambda: library),
        "nvml_power": lambda gpus: open_gpus(GpuPowerMeter, gpus, load=lambda: library),
    }
