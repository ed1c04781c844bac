"""Charts keep their colours, stay small and are absent rather than wrong where nothing is known."""

import pytest

from dashboard import charts
from dashboard.queries import MAX_POINTS, _thin
from glam.records import HeldoutPoint


def test_sparse_and_dense_have_the_same_colours_everywhere():
    assert charts.colour_scale(["dense", "sparse"]).range == ["#0072B2", "#D55E00"]
    assert charts.colour_scale(["sparse", "dense", "wide"]).range[:2] == ["#D55E00", "#0072B2"]
    many = charts.colour_scale([f"arm{number}" for number in range(12)]).range
    assert len(many) == 12


@pytest.mark.parametrize("count", [0, 1, MAX_POINTS, MAX_POINTS + 1, 100_000])
def test_curves_are_thinned_and_keep_their_ends(count: int):
    thinned = _thin(list(range(count)))
    assert len(thinned) == min(count, MAX_POINTS)
    if count:
        assert (thinned[0], thinned[-1]) == (0, count - 1)
        assert len(set(thinned)) == len(thinned)


def test_a_cost_that_is_known_of_no_point_gives_no_chart():
    point = HeldoutPoint(step=1, tokens=10, loss=3.0, elapsed_seconds=1.0)
    rows = charts.curve_rows("sparse", 0, [point], 1e7)
    assert charts.loss_curves(rows, ["sparse"], "joules", title="t", points=True) is None
    assert charts.loss_curves(rows, ["sparse"], "flops", title="t", points=True) is not None
    assert charts.loss_curves([], ["sparse"], "tokens", title="t", points=True) is None
    assert charts.energy_bars([]) is None
    assert charts.task_scores([], "sparse", "dense") is None
    assert charts.task_differences([], "sparse", "dense") is None
