"""Downloads: tables whose texts are no formulas, pictures drawn by a process of its own."""

from xml.etree import ElementTree

import altair as alt
import numpy as np
import pandas as pd

from dashboard import pictures
from dashboard.charts.curves import QUANTITIES, Line, curve_chart
from dashboard.parts.drawing import csv_of

SVG = "{http://www.w3.org/2000/svg}"


def test_a_cell_of_a_table_is_never_a_formula():
    frame = pd.DataFrame({"name": ["=1+1", "@x", "plain", "a=b"], "value": [-1.5, None, 2.0, 3.0]})
    lines = csv_of(frame).decode().splitlines()
    assert lines == ["name,value", "'=1+1,-1.5", "'@x,", "plain,2.0", "a=b,3.0"]


def test_a_picture_of_many_points_is_drawn_and_names_in_it_are_text():
    name = "<script>alert(1)</script>"
    step = np.arange(1.0, 6_001)
    columns = {"step": step, "tokens": step, "elapsed_seconds": step, "energy_joules": step, "loss": 1 / step}
    figure = curve_chart([Line(name, name, "0", columns, None)], "tokens", QUANTITIES["loss"])
    assert figure is not None
    with alt.data_transformers.disable_max_rows():
        specification = figure.to_json()
    svg = ElementTree.fromstring(pictures.draw(specification, "svg"))
    assert not list(svg.iter(f"{SVG}script"))
    assert name in [each.text for each in svg.iter(f"{SVG}text")]
    assert pictures.draw(specification, "png").startswith(b"\x89PNG")
