"""This machine as a cluster of one."""

import pytest

from glam.plan import machine
from glam.plan.machine import this_machine


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PRODUCT_SIZE", 32)
    monkeypatch.setattr(machine, "COPIED_FLOATS", 1024)


def test_a_processor_is_measured_and_alone() -> None:
    place = this_machine(2)
    assert place.num_devices == 1
    assert place.device.kind == "processor"
    assert place.device.peak("float32") > 0
    assert place.device.bandwidth_bytes_per_second > 0
    assert place.device.watts == 2 * 7.0
    assert (place.pue, place.grid_tonnes_per_mwh, place.price_per_device_hour) == (None, None, None)


def test_what_numpy_cannot_multiply_has_no_peak() -> None:
    with pytest.raises(ValueError, match="no source gives a bfloat16 peak of cpu; known: float32, float64"):
        this_machine(1).device.peak("bfloat16")
