"""Training: curves of any runs against what they cost, drawn anew while one of them goes on."""

import streamlit as st

from dashboard import words
from dashboard.charts.common import AXIS_TITLES, Axis
from dashboard.charts.curves import QUANTITIES, curve_chart, curve_table
from dashboard.parts import choices, drawing
from dashboard.parts.lines import choose_axis, lines_of
from dashboard.parts.runs import choose_runs
from dashboard.queries import list_runs, store_root
from dashboard.queries.curves import MAX_POINTS, read_curves

REFRESH_SECONDS = 5
MOST_RUNS = 24
TITLES = {
    "loss": "Loss",
    "heldout": "Held-out loss",
    "learning_rate": "Learning rate",
    "grad_norm": "Gradient norm",
    "tokens_per_second": "Tokens per second",
    "mfu": "MFU",
    "skipped_steps": "Skipped steps",
}
"""Of `QUANTITIES`, as the choice calls them."""


def show() -> None:
    """The page."""
    root = store_root()
    st.title("Training", anchor=False)
    runs = list_runs(root)
    if not runs:
        drawing.nothing(f"Nothing was trained in {root} yet. Start with:", "glam run quickstart")
        return
    chosen = choose_runs(root, runs, most=MOST_RUNS)
    if not chosen:
        st.info("Choose at least one run.")
        return
    name = choices.one_of_few("Quantity", TITLES, "show", default="loss")
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        axis = choose_axis()
    smoothing = choices.number(
        "Smoothing",
        "smoothing",
        low=0.0,
        high=0.99,
        step=0.01,
        default=0.0,
        slider=True,
        help="Weight that an exponential mean keeps at each point shown; 0 shows the points alone.",
        place=right,
    )
    running = any(run.state == "running" for run in runs if run.fingerprint in chosen)
    st.fragment(_draw, run_every=REFRESH_SECONDS if running else None)(chosen, name, axis, smoothing)


def _draw(chosen: list[str], name: str, axis: Axis, smoothing: float) -> None:
    """The chart; read anew each time."""
    root = store_root()
    runs = {run.fingerprint: run for run in list_runs(root)}
    quantity = QUANTITIES[name]
    found = [runs[mark] for mark in chosen if mark in runs]
    lines = lines_of(root, found, quantity.of)
    drawing.chart(
        curve_chart(lines, axis, quantity, smoothing=smoothing) if lines else None,
        f"{name} against {axis}",
        absent=f"{quantity.title}: unknown against {AXIS_TITLES[axis]} of these runs. {_why(name, axis)}",
        data=curve_table(lines, axis, quantity),
    )
    for run in found:
        curves = read_curves(root, run.fingerprint)
        if run.problem or curves.problem:
            st.error(words.plain(f"{run.title} cannot be read: {run.problem or curves.problem}"))
    thinned = [
        run
        for run in found
        if quantity.of == "steps" and read_curves(root, run.fingerprint).steps.num_lines > MAX_POINTS
    ]
    if thinned:
        most = max(read_curves(root, run.fingerprint).steps.num_lines for run in thinned)
        st.caption(
            words.plain(
                f"At most {MAX_POINTS:,} logged steps of each run are read, evenly; there are up to about {most:,}."
            )
        )
    going = [run for run in found if run.state == "running"]
    if going:
        shown = ", ".join(
            f"{run.title} at step {words.UNKNOWN if run.num_steps is None else run.num_steps}" for run in going
        )
        st.caption(words.plain(f"Going on: {shown}. The chart follows every {REFRESH_SECONDS} s."))


def _why(name: str, axis: Axis) -> str:
    if axis == "flops":
        return "How many FLOPs a token takes is not said by a run from before that was kept, until it is complete."
    if name == "mfu":
        return "The peak of this processor is unknown, or not asked."
    return "Energy was not measured." if axis == "joules" else ""
