import pytest

from glam.analysis.curves import AXES, Curve, cost_to_reach, early_reading, loss_at, total_cost
from glam.config import TrainConfig
from glam.records import HeldoutPoint


def curve(*losses: float, schedule: str = "inverse_sqrt", warmup: int = 0, joules: bool = True) -> Curve:
    points = [
        HeldoutPoint(
            step=10 * number,
            tokens=1000 * number,
            loss=loss,
            elapsed_seconds=2.0 * number,
            energy_joules=30.0 * number if joules else None,
        )
        for number, loss in enumerate(losses, start=1)
    ]
    train = TrainConfig(num_steps=10 * len(losses), global_batch_size=1, schedule=schedule, warmup_steps=warmup)
    return Curve(tuple(points), flops_per_token=6.0, train=train)


@pytest.mark.parametrize("axis", AXES)
def test_a_point_of_the_curve_reads_as_itself(axis):
    known = curve(5.0, 4.0, 3.5)
    end = total_cost(known, axis)
    assert end is not None
    assert loss_at(known, axis, end).value == pytest.approx(3.5)
    assert cost_to_reach(known, axis, 3.5).value == pytest.approx(end)


def test_between_points_loss_is_linear_and_cost_logarithmic():
    assert loss_at(curve(5.0, 4.0), "tokens", 1500).value == pytest.approx(4.5)
    assert cost_to_reach(curve(5.0, 4.0), "tokens", 4.5).value == pytest.approx((1000 * 2000) ** 0.5)


def test_a_faster_fall_reaches_the_same_loss_earlier():
    slow, fast = curve(5.0, 4.5, 4.0), curve(4.8, 4.0, 3.5)
    costs = [cost_to_reach(each, "tokens", 4.2).value for each in (fast, slow)]
    assert costs[0] is not None
    assert costs[1] is not None
    assert costs[0] < costs[1]


def test_the_first_crossing_counts():
    assert cost_to_reach(curve(5.0, 4.0, 4.6, 3.0), "tokens", 4.0).value == pytest.approx(2000)


def test_what_was_never_reached_is_unknown_with_the_best():
    reading = cost_to_reach(curve(5.0, 4.0), "tokens", 3.0)
    assert reading.value is None
    assert "best was 4.0000" in reading.reason


def test_what_the_first_point_had_already_passed_is_unknown():
    assert cost_to_reach(curve(4.0, 3.0), "tokens", 4.5).value is None


def test_outside_the_curve_is_unknown():
    assert loss_at(curve(5.0, 4.0), "tokens", 2001).value is None


def test_unmeasured_energy_is_unknown():
    reading = loss_at(curve(5.0, 4.0, joules=False), "joules", 30)
    assert reading.value is None
    assert reading.reason == "joules were not measured"


def test_no_curve_is_unknown():
    empty = Curve((), 6.0, curve(5.0).train)
    assert total_cost(empty, "tokens") is None
    assert "no held-out curve" in loss_at(empty, "tokens", 1).reason


@pytest.mark.parametrize(("schedule", "early"), [("inverse_sqrt", False), ("cosine", True)])
def test_only_schedules_without_an_end_are_read_early(schedule: str, early: bool):
    known = curve(5.0, 4.0, schedule=schedule)
    reading = loss_at(known, "tokens", 1500)
    assert reading.value == pytest.approx(4.5)
    assert bool(reading.reason) is early
    assert loss_at(known, "tokens", 2000).reason == ""


def test_a_point_in_the_warm_up_says_so():
    assert "warm-up" in early_reading(curve(5.0, 4.0, warmup=15).train, 12)
