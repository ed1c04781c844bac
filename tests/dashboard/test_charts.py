"""Charts keep their colours, stay small and are absent rather than wrong where nothing is known."""

import math

import altair as alt
import numpy as np
import pytest

from dashboard.charts import colour_scale
from dashboard.charts.curves import MAX_POINTS, QUANTITIES, Line, curve_chart, curve_table
from dashboard.charts.energy import energy_bars, projections
from dashboard.charts.experts import load_over_steps, shares_by
from dashboard.charts.speedup import scaling, speedups
from dashboard.charts.tasks import Score, task_differences, task_scores
from dashboard.charts.tokens import token_map
from dashboard.queries.curves import STEP_FIELDS


def line(arm: str, seed: int, count: int = 50, **columns: float) -> Line:
    step = np.arange(1, count + 1, dtype=float)
    known = {name: np.full(count, math.nan) for name in STEP_FIELDS}
    known |= {"step": step, "tokens": 10 * step, "elapsed_seconds": step, "loss": 5 - step / count}
    known |= {name: np.full(count, value) for name, value in columns.items()}
    return Line(f"{arm}-s{seed}", arm, str(seed), known, 1e7)


def points(chart) -> int:
    with alt.data_transformers.disable_max_rows():
        specification = chart.to_dict()
    return max(len(rows) for rows in specification["datasets"].values())


def test_sparse_and_dense_have_the_same_colours_everywhere():
    assert colour_scale(["dense", "sparse"]).range == ["#0072B2", "#D55E00"]
    assert colour_scale(["sparse", "dense", "wide"]).range[:2] == ["#D55E00", "#0072B2"]
    assert colour_scale(["4m_8e", "4m_dense"]).range == ["#D55E00", "#0072B2"]
    assert colour_scale(["4m_dense", "4m_8e"]).range == ["#0072B2", "#D55E00"]
    many = colour_scale([f"arm{number}" for number in range(12)]).range
    assert len(many) == 12
    assert not {"#0072B2", "#D55E00"} & set(many), "no other arm looks like one of the two"


def test_a_cost_that_is_known_of_no_point_gives_no_chart():
    lines = [line("sparse", 0)]
    assert curve_chart(lines, "joules", QUANTITIES["loss"]) is None
    assert curve_chart(lines, "flops", QUANTITIES["loss"]) is not None
    assert curve_chart(lines, "tokens", QUANTITIES["mfu"]) is None
    assert curve_table(lines, "joules", QUANTITIES["loss"]).empty
    assert curve_chart([line("sparse", 0, loss=math.inf)], "tokens", QUANTITIES["loss"]) is None
    assert energy_bars([]) is None
    assert projections([], []) is None
    assert task_scores([], ["sparse"]) is None
    assert task_differences([], "sparse", "dense") is None
    assert speedups([], "sparse", "dense") is None
    assert scaling([], "flops") is None
    assert load_over_steps(np.ones(1), np.ones((1, 8)), 1) is None
    assert token_map([], 0, "none") is None


@pytest.mark.parametrize("num_runs", [1, 4, 24])
def test_a_chart_holds_so_many_points_however_many_there_are(num_runs: int):
    lines = [line("sparse", seed, count=2_000) for seed in range(num_runs)]
    chart = curve_chart(lines, "tokens", QUANTITIES["loss"])
    assert points(chart) <= max(MAX_POINTS, 100 * num_runs)
    ends = curve_table(lines, "tokens", QUANTITIES["loss"]).groupby("run")["step"].agg(["min", "max"])
    assert set(ends["min"]) == {1}
    assert set(ends["max"]) == {2_000}


def test_smoothing_keeps_the_points_behind_the_mean():
    noisy = line("sparse", 0, count=500)
    noisy.columns["loss"][::2] += 1  # type: ignore[index]
    chart = curve_chart([noisy], "tokens", QUANTITIES["loss"], smoothing=0.9)
    (rows,) = [rows for rows in chart.to_dict()["datasets"].values() if "mean" in rows[0]]
    shaken, smooth = (np.diff([row[name] for row in rows]).std() for name in ("y", "mean"))
    assert smooth < shaken / 5


def test_names_of_all_kinds_make_a_chart_that_is_valid():
    for name in ("<script>", "a.b[c]", "x'y\"z", "datum.y", "\\", "日本", "a" * 500, "=1+1", "\n"):
        curve_chart([line(name, 0), line("dense", 0)], "tokens", QUANTITIES["loss"]).to_dict()
        task_scores([Score(name, name, 0.5)], [name]).to_dict()
        token_map([(name, ((0, 1),))], 0, name).to_dict()
        shares_by("kind of token", [name], np.array([[0.25, 0.75]]), 1).to_dict()


def test_tokens_stand_in_rows_that_fit_and_name_their_experts():
    chart = token_map([("word ", ((2, 0), (1, 3)))] * 30 + [("\n", ()), ("end", ((0,),))], 0, "t", width=40)
    rows = next(iter(chart.to_dict()["datasets"].values()))
    assert all(row["to"] <= 40 for row in rows)
    assert rows[0]["expert"] == "3"
    assert rows[0]["choices"] == "layer 1: 3, 1; layer 2: 2, 4"
    assert rows[-1]["row"] == rows[-2]["row"] + 1
