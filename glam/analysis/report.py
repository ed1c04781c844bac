"""A verdict as one HTML file that needs nothing else: no network, no script, no other file."""

from collections.abc import Mapping
from importlib.resources import files
from typing import get_args

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from glam.analysis.cost_sentences import largest_residual, law_values, speedup
from glam.analysis.curves import AXES
from glam.analysis.figures import AXIS_LABELS, difference_chart, loss_chart, scaling_chart, task_chart
from glam.analysis.formats import count, energy, number, p_value, percent, quantity, ratio, signed
from glam.analysis.sentences import detectable, interval, points, winner_name
from glam.analysis.verdict import ScalingAxis, Verdict

TEMPLATE = "report.html"
MAX_DATA_ROWS = 60
MAX_FACT_CHARACTERS = 120


def render_report(verdict: Verdict) -> str:
    """The report's HTML; the same verdict gives the same bytes."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        number=number, p_value=p_value, percent=percent, quantity=quantity, ratio=ratio, signed=signed
    )
    environment.globals.update(
        detectable=detectable,
        energy=energy,
        interval=interval,
        largest_residual=largest_residual,
        law_values=law_values,
        points=points,
        speedup=speedup,
        winner_name=winner_name,
    )
    template = environment.from_string(files("glam.analysis").joinpath(TEMPLATE).read_text("utf-8"))
    return template.render(
        verdict=verdict,
        axis_labels=AXIS_LABELS,
        groups=[
            (arms, [(axis, _trusted(loss_chart(verdict, arms, axis))) for axis in AXES])
            for arms in verdict.groups.values()
        ],
        contrasts=[
            (
                contrast,
                _trusted(task_chart(contrast, verdict.groups[contrast.second])),
                _trusted(difference_chart(contrast)),
            )
            for contrast in verdict.contrasts
        ],
        scaling=[
            (fits, _trusted(scaling_chart(fits)))
            for axis in get_args(ScalingAxis)
            if (fits := [fit for fit in verdict.scaling if fit.axis == axis])
        ],
        data_rows=flat(verdict.data or {})[:MAX_DATA_ROWS],
    )


def flat(facts: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as (dotted name, text) rows, in their order."""
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            rows += flat({str(key): each for key, each in value.items()}, f"{label}.")
        elif isinstance(value, bool) or not isinstance(value, int | float | None):
            text = str(value)
            rows.append((label, text if len(text) <= MAX_FACT_CHARACTERS else text[:MAX_FACT_CHARACTERS] + " …"))
        else:
            rows.append((label, count(value) if isinstance(value, int) else number(value)))
    return rows


def _trusted(svg: str | None) -> Markup | None:
    """Our own SVG; the names in it were escaped when matplotlib wrote them."""
    return None if svg is None else Markup(svg)
