"""The report's charts as files of their own: SVG that brings its colours along."""

import re
from collections.abc import Iterator
from importlib.resources import files

from glam.analysis.curves import AXES
from glam.analysis.figures import difference_chart, loss_chart, task_chart
from glam.analysis.report import TEMPLATE
from glam.analysis.verdict import Verdict


def chart_files(verdict: Verdict) -> dict[str, str]:
    """SVG by file name; what cannot be drawn is left out."""
    page = files("glam.analysis").joinpath(TEMPLATE).read_text("utf-8")
    light = re.search(r":root \{(.*?)\}", page, re.DOTALL)
    assert light is not None, "the report defines its colours first"
    style = f"<style>svg {{ background: #fff; {' '.join(light.group(1).split())} }}</style>"
    return {
        f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.svg": re.sub(r"(<svg [^>]*>)", rf"\1{style}", chart, count=1)
        for name, chart in _charts(verdict)
        if chart is not None
    }


def _charts(verdict: Verdict) -> Iterator[tuple[str, str | None]]:
    for baseline, arms in verdict.groups.items():
        for axis in AXES:
            yield f"loss-{axis}-{baseline}", loss_chart(verdict, arms, axis)
    for contrast in verdict.contrasts:
        pair = f"{contrast.first}-{contrast.second}"
        yield f"tasks-{pair}", task_chart(contrast, verdict.groups[contrast.second])
        yield f"differences-{pair}", difference_chart(contrast)
