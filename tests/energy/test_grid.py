import pytest

from glam.energy.grid import GRIDS, grid_intensity


@pytest.mark.parametrize("region", GRIDS)
def test_every_figure_has_a_year_and_a_source_and_can_be_a_grid(region: str):
    grid = grid_intensity(region)
    assert grid.region == region
    assert 0 < grid.kilograms_per_mwh < 1200  # lignite alone is some 1,100
    assert 2021 <= grid.year <= 2026
    assert grid.source


def test_the_papers_own_intensity_is_in_it():
    assert grid_intensity("US-central").kilograms_per_mwh == pytest.approx(40_200 / 456, abs=0.5)


def test_an_unknown_region_is_refused_with_those_that_are_known():
    with pytest.raises(ValueError, match="region 'Atlantis'; known: world, US, US-central, EU-27"):
        grid_intensity("Atlantis")
