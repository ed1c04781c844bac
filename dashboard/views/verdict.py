"""Verdict: one study and a pair of its arms. Which is better, at what cost?"""

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.charts.common import AXIS_TITLES, Axis
from dashboard.charts.curves import QUANTITIES, Line, curve_chart, curve_table
from dashboard.charts.speedup import scaling, speedups
from dashboard.charts.tasks import decisions
from dashboard.parts import drawing
from dashboard.parts.lines import choose_axis
from dashboard.parts.study import choose_pair, choose_study
from dashboard.queries import VerdictEntry, list_runs, list_verdicts, store_root
from dashboard.queries.files import READ_ERRORS
from dashboard.queries.verdicts import heldout_columns, read_report
from glam.analysis.cost_sentences import largest_residual, law_values, speedup
from glam.analysis.verdict import ArmSummary, AxisComparison, Contrast, Verdict

RUN = "glam run quickstart"
COSTS: dict[Axis, str] = {"tokens": "Tokens", "flops": "FLOPs", "seconds": "Time", "joules": "Energy"}


def show() -> None:
    """The page."""
    root = store_root()
    st.title("Sparse against dense", anchor=False)
    if not list_verdicts(root):
        if list_runs(root):
            drawing.nothing(
                "No study is finished yet. The runs that there are stand under Runs; finish a study with:", RUN
            )
        else:
            drawing.nothing(f"There is nothing in {root} yet. Make a first verdict (some minutes on two cores):", RUN)
        return
    left, right = st.columns([3, 2])
    found = choose_study(root, place=left)
    if found is None:
        return
    entry, verdict = found
    contrast = choose_pair(verdict, place=right)
    _conclusion(verdict, contrast)
    if contrast is not None:
        _headline(contrast)
        _curves(verdict, contrast)
        _costs(contrast)
        _tasks(contrast)
    st.subheader("The arms", anchor=False)
    drawing.table(_arms(verdict, contrast), "arms", full=True)
    _scaling(verdict)
    if verdict.caveats:
        st.subheader("To keep in mind", anchor=False)
        st.markdown("\n".join(f"- {words.plain(caveat)}" for caveat in verdict.caveats))
    _downloads(entry, verdict)


def _conclusion(verdict: Verdict, contrast: Contrast | None) -> None:
    with st.container(border=True):
        st.markdown(f"#### {words.plain(verdict.sentence if contrast is None else contrast.sentence)}")
        for finding in () if contrast is None else contrast.findings:
            st.markdown(words.plain(finding))


def _headline(contrast: Contrast) -> None:
    loss = contrast.loss.difference
    by_axis = {axis.axis: axis for axis in contrast.axes}
    ends = "interval unknown"
    if loss.low is not None and loss.high is not None:
        ends = f"{words.signed(loss.low)} to {words.signed(loss.high)}"
    st.caption(
        words.plain(
            f"{contrast.first} minus {contrast.second} with its 95 % interval; then the effective speed-up: how many "
            f"times the cost of {contrast.first} {contrast.second} needs until its held-out loss is as low."
        )
    )
    columns = st.columns([1.3, 1, 1, 1, 1])
    columns[0].metric(
        "Held-out loss, nats per token",
        words.signed(loss.value),
        words.plain(ends),
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    for column, (axis, title) in zip(columns[1:], COSTS.items(), strict=True):
        value, note = _speedup_words(by_axis.get(axis))
        column.metric(f"{title}: speed-up", value, words.plain(note), delta_color="off", delta_arrow="off", border=True)


def _speedup_words(axis: AxisComparison | None) -> tuple[str, str]:
    """The value, and its interval or why it is unknown."""
    text = speedup(None if axis is None else axis.speedup)
    value, _, ends = text.partition(" [")
    if ends:
        return (
            value,
            f"{ends.partition(']')[0].replace(', ', ' to ')}{', extrapolated' if 'extrapolated' in text else ''}",
        )
    if axis is None or axis.speedup is None:
        return value, "not in this verdict"
    return value, "a bound" if axis.speedup.value is None and value != words.UNKNOWN else "no interval"


def _curves(verdict: Verdict, contrast: Contrast) -> None:
    st.subheader("Held-out loss", anchor=False)
    axis = choose_axis()
    lines = [
        Line(
            run=f"{run.summary.arm}, seed {run.summary.seed}",
            arm=run.summary.arm,
            seed=str(run.summary.seed),
            columns=heldout_columns(run.heldout),
            flops_per_token=run.summary.flops_per_token,
        )
        for arm in (contrast.first, contrast.second)
        for run in verdict.runs
        if run.summary.arm == arm
    ]
    quantity = QUANTITIES["heldout"]
    left, right = st.columns([3, 2])
    drawing.chart(
        curve_chart(lines, axis, quantity) if lines else None,
        f"held-out loss against {axis}",
        absent=f"Held-out loss: unknown against {AXIS_TITLES[axis]}.",
        data=curve_table(lines, axis, quantity),
        place=left,
    )
    drawing.chart(
        speedups(contrast.axes, contrast.first, contrast.second),
        "speed-up",
        absent=f"Speed-up: {_why_unknown(contrast)}.",
        place=right,
    )
    for note in dict.fromkeys(note for each in contrast.axes if each.axis == axis for note in each.notes):
        st.caption(words.plain(note))


def _why_unknown(contrast: Contrast) -> str:
    reasons = [axis.speedup.reason for axis in contrast.axes if axis.speedup is not None and axis.speedup.reason]
    return reasons[0] if reasons else "this verdict has none; glam compare makes it anew"


def _costs(contrast: Contrast) -> None:
    rows = [
        {
            "At equal": AXIS_TITLES[axis.axis],
            "Loss difference, nats per token": words.signed(axis.loss_difference),
            "Cost to equal loss": words.ratio(axis.cost_ratio),
            "Speed-up": speedup(axis.speedup),
            "Speaks of": "" if axis.speedup is None else axis.speedup.scope,
            "Unknown because": "" if axis.speedup is None else axis.speedup.reason,
        }
        for axis in contrast.axes
    ]
    frame = pd.DataFrame(rows)
    drawing.table(frame.loc[:, (frame != "").any()], "equal cost", full=True)
    st.caption(
        words.plain(
            f"Differences and costs are {contrast.first} against {contrast.second}: below zero it is better, below 1 × "
            "it is cheaper. A speed-up above 1 × is in its favour."
        )
    )


def _tasks(contrast: Contrast) -> None:
    st.subheader("Tasks", anchor=False)
    if not contrast.tasks:
        drawing.nothing("No task was scored. Score the runs of a study with:", "glam evaluate quickstart")
        return
    better = [task.better for task in contrast.tasks]
    won = [
        (contrast.first, better.count("first")),
        (contrast.second, better.count("second")),
        ("undecided", better.count("undecided")),
    ]
    st.markdown(
        words.plain(
            f"Of {words.some(len(better), 'task setting')} {contrast.first} wins {won[0][1]}, loses {won[1][1]}, and "
            f"{won[2][1]} are undecided, by paired tests at 5 % with Holm's correction."
        )
    )
    drawing.chart(decisions(won, contrast.first, contrast.second), "tasks won", absent="")


def _arms(verdict: Verdict, contrast: Contrast | None) -> pd.DataFrame:
    """One column an arm: everything that the arms cost and are."""
    shown = None if contrast is None else (contrast.first, contrast.second)
    arms = [arm for arm in verdict.arms if shown is None or arm.arm in shown]
    lines: list[tuple[str, list[str]]] = [
        ("Runs", [str(arm.num_runs) for arm in arms]),
        ("Parameters", [words.count(arm.total_params) for arm in arms]),
        ("Active parameters", [words.count(arm.active_params) for arm in arms]),
        ("Training FLOPs per token", [words.count(arm.flops_per_token) for arm in arms]),
        ("Tokens per run", [words.count(arm.tokens_per_run) for arm in arms]),
        ("Held-out loss, nats per token", [words.number(arm.heldout_loss) for arm in arms]),
        ("Training loss, nats per token", [words.number(arm.train_loss) for arm in arms]),
        ("Training time, all runs", [words.duration(arm.elapsed_seconds) for arm in arms]),
        ("Tokens per second", [words.count(arm.tokens_per_second) for arm in arms]),
        ("Energy, all runs", [words.energy(arm.energy_joules) for arm in arms]),
        ("Joules per token", [words.number(arm.joules_per_token) for arm in arms]),
        ("Busiest expert over mean load", [_load(arm) for arm in arms]),
    ]
    return pd.DataFrame([[name, *values] for name, values in lines], columns=["", *(arm.arm for arm in arms)])


def _load(arm: ArmSummary) -> str:
    return "no experts" if arm.load_imbalance is None else words.number(arm.load_imbalance, digits=2)


def _scaling(verdict: Verdict) -> None:
    if not verdict.scaling:
        return
    st.subheader("Over sizes", anchor=False)
    for column, axis in zip(st.columns(2), ("flops", "experts"), strict=True):
        fits = [fit for fit in verdict.scaling if fit.axis == axis]
        if fits:
            drawing.chart(
                scaling(fits, axis), f"loss over {axis}", absent="No run of these has a held-out loss.", place=column
            )
    rows = [
        [fit.group, fit.formula, law_values(fit), len(fit.points), largest_residual(fit), "; ".join(fit.notes)]
        for fit in verdict.scaling
    ]
    drawing.table(
        pd.DataFrame(rows, columns=["Of", "Law", "Parameters", "Runs", "Largest residual", "Notes"]), "laws", full=True
    )


def _downloads(entry: VerdictEntry, verdict: Verdict) -> None:
    name = f"{entry.name}-{entry.fingerprint}"
    with st.container(horizontal=True):
        st.download_button(
            "Report, HTML", lambda: _report(entry), f"{name}.html", "text/html", key="report", on_click="ignore"
        )
        st.download_button(
            "Verdict, JSON",
            lambda: verdict.model_dump_json(indent=1),
            f"{name}.json",
            "application/json",
            key="verdict json",
            on_click="ignore",
        )


def _report(entry: VerdictEntry) -> bytes:
    try:
        return read_report(store_root(), entry.fingerprint)
    except READ_ERRORS as error:
        return f"This study has no report that can be read: {type(error).__name__}".encode()
