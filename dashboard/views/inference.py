"""Inference: what trained models take to write text, two arms side by side."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.charts.inference import PANELS, by_batch
from dashboard.parts import choices, drawing
from dashboard.queries import InferenceEntry, list_inference, store_root
from glam.analysis.formats import energy, quantity
from glam.analysis.inference import compare_inference, unsteady
from glam.analysis.inference_table import machine_words, settings_words
from glam.records import InferencePoint, InferenceResult

FIGURES = ("tokens_per_second", "first_token_seconds", "joules_per_token", "weight_bytes", "cache_bytes", "peak_bytes")


def show() -> None:
    """The page."""
    root = store_root()
    entries = list_inference(root)
    st.title("Inference", anchor=False)
    for entry in entries:
        if entry.state == "broken":
            st.error(words.plain(f"{entry.name}-{entry.fingerprint} cannot be read: {entry.problem}"))
    groups = _measured_alike(entries)
    if not groups:
        drawing.nothing(
            f"No trained model was measured in {root} yet. Measure the arms of a recipe with:",
            "glam inference quickstart",
        )
        return
    results = groups[choices.one_of("Measured", {title: title for title in groups}, "measured")]
    st.caption("Greedy generation with a cache. Speed and energy are of whole calls, the reading of prompts included.")
    if len(results) > 1:
        results = _pair(results)
        _comparison(results)
    for note in unsteady(results):
        st.caption(words.plain(note))
    for place, panel in zip(st.columns(len(PANELS)), PANELS, strict=True):
        absent = f"{panel.title}: unknown, this machine gave no reading."
        drawing.chart(by_batch(results, panel), panel.field, absent=absent, place=place)
    drawing.table(_table(results), "inference", raw=_figures(results), full=True)


def _measured_alike(entries: Sequence[InferenceEntry]) -> dict[str, dict[str, InferenceResult]]:
    """Results by arm, by the words for machine and settings, the latest first; of an arm that comes twice all."""
    groups: dict[str, dict[str, InferenceResult]] = {}
    for entry in entries:
        if entry.result is not None:
            title = f"{machine_words(entry.result.machine)}; {settings_words(entry.result)}"
            group = groups.setdefault(title, {})
            arm = entry.name.rpartition("-s")[0] or entry.name
            group[arm if arm not in group else f"{entry.name} {entry.fingerprint[:6]}"] = entry.result
    return groups


def _pair(results: Mapping[str, InferenceResult]) -> dict[str, InferenceResult]:
    """The two that are chosen, the baseline last; unless chosen otherwise arms that took turns, the latter dense."""
    names = sorted(results, key=lambda name: "dense" in name)
    left, right = st.columns(2)
    first = choices.one_of("Arm", {name: name for name in names}, "writer", place=left)
    rest = [name for name in names if name != first]
    titles = {name: name for name in rest}
    by_turns = [name for name in rest if results[name].session == results[first].session]
    second = choices.one_of("Against", titles, "other_writer", default=[*rest, *by_turns][-1], place=right)
    return {first: results[first], second: results[second]}


def _comparison(results: Mapping[str, InferenceResult]) -> None:
    (first, one), (second, two) = results.items()
    comparison = compare_inference(first, one, second, two)
    with st.container(border=True):
        for batch in comparison.batches:
            st.markdown(words.plain(batch.sentence))
    for note in comparison.notes:
        st.caption(words.plain(note))


def _table(results: Mapping[str, InferenceResult]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "Batch": point.batch_size,
                "Arm": arm,
                "Tokens per second": words.count(point.tokens_per_second),
                "First token": quantity(point.first_token_seconds, "s"),
                "Energy per token": energy(
                    point.joules_per_token,
                    point.low_joules_per_token,
                    point.high_joules_per_token,
                    point.energy_method,
                ),
                "FLOPs per token, counted": words.count(point.flops_per_token),
                "Weights": quantity(point.weight_bytes, "B"),
                "Cache": quantity(point.cache_bytes, "B"),
                "Peak memory": quantity(point.peak_bytes, "B"),
            }
            for point, arm in _points(results)
        ]
    )


def _figures(results: Mapping[str, InferenceResult]) -> pd.DataFrame:
    """The same as bare numbers."""
    return pd.DataFrame(
        [
            {"batch_size": point.batch_size, "arm": arm, **{name: getattr(point, name) for name in FIGURES}}
            for point, arm in _points(results)
        ]
    )


def _points(results: Mapping[str, InferenceResult]) -> list[tuple[InferencePoint, str]]:
    """(point, arm), batch by batch."""
    points = [(point, arm) for arm, result in results.items() for point in result.points]
    return sorted(points, key=lambda each: each[0].batch_size)
