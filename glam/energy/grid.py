"""What a megawatt hour of a region's electricity emits: yearly averages, of life cycles where the source says so.

An average is not what a data centre bought, nor what the next kilowatt hour would add, and it changes from year to
year by some percent: so figures are rounded to two digits, and a table that is used later should be looked up anew.
"""

from dataclasses import dataclass

EMBER = "Ember, Yearly Electricity Data, life-cycle emissions, by way of Our World in Data (2024)"
GLAM = "GLaM (Du et al., 2022), net of what its data centre bought: 40.2 t for 456 MWh"


@dataclass(frozen=True)
class GridIntensity:
    """Emissions of a region's electricity."""

    region: str
    kilograms_per_mwh: float
    """kg CO2e."""
    year: int
    source: str

    @property
    def tonnes_per_mwh(self) -> float:
        """t CO2e."""
        return self.kilograms_per_mwh / 1000


GRIDS: dict[str, GridIntensity] = {
    grid.region: grid
    for grid in (
        GridIntensity("world", 480, 2023, EMBER),
        GridIntensity("US", 370, 2023, EMBER),
        GridIntensity("US-central", 88, 2021, GLAM),
        GridIntensity("EU-27", 240, 2023, EMBER),
        GridIntensity("DE", 380, 2023, EMBER),
        GridIntensity("FR", 56, 2023, EMBER),
        GridIntensity("GB", 240, 2023, EMBER),
        GridIntensity("SE", 41, 2023, EMBER),
        GridIntensity("PL", 660, 2023, EMBER),
        GridIntensity("CN", 580, 2023, EMBER),
        GridIntensity("IN", 710, 2023, EMBER),
        GridIntensity("JP", 490, 2023, EMBER),
        GridIntensity("BR", 98, 2023, EMBER),
        GridIntensity("CA", 170, 2023, EMBER),
    )
}


def grid_intensity(region: str) -> GridIntensity:
    """Of a region of the table. Raises ValueError listing them where it is none."""
    if region not in GRIDS:
        raise ValueError(f"no grid intensity of region {region!r}; known: {', '.join(GRIDS)}")
    return GRIDS[region]
