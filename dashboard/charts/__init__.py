"""The figures, as Altair charts from records and columns. No Streamlit, no reading, no arithmetic beyond units."""

from dashboard.charts.common import ARM_COLOURS, AXIS_TITLES, QUIET, Axis, Figure, colour_scale

__all__ = ["ARM_COLOURS", "AXIS_TITLES", "QUIET", "Axis", "Figure", "colour_scale"]
