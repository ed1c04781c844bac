"""Layouts: they are of the devices there are, and say why they cannot be."""

import pytest

from glam.plan.layout import Layout, layouts, parse_layout, why_not, why_not_runnable
from glam.study import dense_twin
from glam.variants import VARIANTS

SPARSE = VARIANTS["ladder_1m_8e"]
DENSE = dense_twin(SPARSE)


@pytest.mark.parametrize("num_devices", [1, 6, 16, 96])
def test_every_layout_is_of_all_devices_and_stands_once(num_devices: int) -> None:
    found = list(layouts(SPARSE, num_devices, rows=96, most_tensor=8))
    assert {layout.num_devices for layout in found} == {num_devices}
    assert len(set(found)) == len(found)
    assert all(why_not(layout, SPARSE, 96) is None for layout in found)


def test_product_of_the_axes_is_the_number_of_devices() -> None:
    layout = Layout(data=2, sharded=3, expert=5, tensor=7, pipeline=11)
    assert layout.num_devices == 2 * 3 * 5 * 7 * 11
    assert layout.replicas == 2 * 3 * 5


def test_a_dense_model_shares_out_no_experts() -> None:
    assert {layout.expert for layout in layouts(DENSE, 8, rows=64, most_tensor=8)} == {1}


def test_no_layout_leaves_a_replica_without_a_row() -> None:
    assert max(layout.replicas for layout in layouts(SPARSE, 16, rows=4, most_tensor=8)) == 4


def test_what_is_written_is_read_again() -> None:
    for layout in (Layout(), Layout(data=64, expert=16), Layout(sharded=3, tensor=2, pipeline=5)):
        assert parse_layout(str(layout)) == layout


@pytest.mark.parametrize(
    ("text", "message"), [("experts=2", "'experts=2' is not AXIS=NUMBER of data, sharded"), ("data=0", "at least 1")]
)
def test_a_layout_that_is_none_is_refused_with_the_axes(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_layout(text)


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (Layout(data=65), "leaves some of 65 replicas without one"),
        (Layout(expert=3), "expert=3 does not divide num_experts=8"),
        (Layout(pipeline=5), "pipeline=5 exceeds num_layers=4"),
        (Layout(tensor=3), "tensor=3 does not divide num_heads=4"),
    ],
)
def test_why_not(layout: Layout, reason: str) -> None:
    assert reason in (why_not(layout, SPARSE, 64) or "")


@pytest.mark.parametrize(
    ("layout", "runs"),
    [
        (Layout(data=8), True),
        (Layout(sharded=8), True),
        (Layout(data=2, expert=4), True),
        (Layout(sharded=2, expert=4), True),
        (Layout(sharded=3, expert=4), False),
        (Layout(data=2, sharded=4), False),
        (Layout(tensor=2), False),
        (Layout(pipeline=2), False),
    ],
)
def test_what_glam_train_runs(layout: Layout, runs: bool) -> None:
    assert (why_not_runnable(layout, SPARSE) is None) == runs
