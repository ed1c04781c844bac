"""One study: the verdict in a sentence, the curves, the energy, the tasks, and what to mind."""

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import charts, words
from dashboard.queries import read_curves
from dashboard.views.curves import choose_axis, draw_curves
from glam.analysis.formats import p_value
from glam.analysis.sentences import detectable, winner_name
from glam.analysis.verdict import ArmSummary, Contrast, Verdict


def show(root: Path, verdict: Verdict) -> None:
    """The whole of a verdict; one contrast at a time where there are several."""
    with st.container(border=True):
        st.markdown(f"#### {words.plain(verdict.sentence)}")
        for contrast in verdict.contrasts:
            for finding in contrast.findings:
                st.markdown(words.plain(finding))
    if not verdict.contrasts:
        st.dataframe(_table(verdict.arms), hide_index=True, height="content")
        return
    contrast = verdict.contrasts[0]
    if len(verdict.contrasts) > 1:
        contrast = st.selectbox(
            "Against the baseline", verdict.contrasts, format_func=lambda each: f"{each.first} − {each.second}"
        )
    _headline(contrast)
    _curves(root, verdict, contrast)
    _tasks(contrast)
    _energy(verdict, contrast)
    if verdict.caveats:
        st.subheader("To keep in mind", anchor=False)
        st.markdown("\n".join(f"- {words.plain(caveat)}" for caveat in verdict.caveats))


def _headline(contrast: Contrast) -> None:
    loss = contrast.loss.difference
    by_axis = {each.axis: each for each in contrast.axes}
    ends = "interval unknown" if loss.low is None or loss.high is None else f"{loss.low:+.4f} to {loss.high:+.4f}"
    figures = [("Held-out loss, nats per token", words.interval(loss.value, None, None), ends.replace("-", "−"))]
    for axis, title in (("tokens", "Tokens"), ("flops", "FLOPs"), ("seconds", "Time"), ("joules", "Energy")):
        value = by_axis[axis].cost_ratio if axis in by_axis else None
        figures.append((f"{title} to equal loss", words.ratio(value), f"{contrast.first} over {contrast.second}"))
    st.caption(
        f"{words.plain(contrast.first)} minus {words.plain(contrast.second)} with its 95 % interval; "
        "then what one costs over the other until both have the same held\\-out loss"
    )
    for column, (title, value, note) in zip(st.columns([1.4, 1, 1, 1, 1]), figures, strict=True):
        column.metric(title, value, words.plain(note), delta_color="off", delta_arrow="off", border=True)


def _curves(root: Path, verdict: Verdict, contrast: Contrast) -> None:
    arms = [contrast.first, contrast.second]
    training, heldout = [], []
    for run in verdict.runs:
        summary = run.summary
        if summary.arm not in arms:
            continue
        heldout += charts.curve_rows(summary.arm, summary.seed, run.heldout, summary.flops_per_token)
        curves = read_curves(root, summary.run_fingerprint)
        if curves is not None:
            training += charts.curve_rows(summary.arm, summary.seed, curves.steps, summary.flops_per_token)
    st.subheader("Loss", anchor=False)
    axis = choose_axis()
    draw_curves(training, heldout, arms, axis)
    notes = dict.fromkeys(note for each in contrast.axes if each.axis == axis for note in each.notes)
    for note in notes:
        st.caption(words.plain(note))


def _tasks(contrast: Contrast) -> None:
    st.subheader("Tasks", anchor=False)
    left, right = st.columns(2)
    scores = charts.task_scores(contrast.tasks, contrast.first, contrast.second)
    differences = charts.task_differences(contrast.tasks, contrast.first, contrast.second)
    for column, chart in ((left, scores), (right, differences)):
        if chart is None:
            column.info("No task was scored.")
        else:
            column.altair_chart(chart)
    if contrast.tasks:
        st.caption(
            words.plain(
                "p: two-sided, of no difference, from paired items. Holm's p is adjusted for all settings here; at "
                "most 0.05 names an arm. Would show: the smallest difference that the test, were it the only one, "
                "finds with 80 % power at 5 %."
            )
        )
        st.dataframe(_decisions(contrast), hide_index=True)


def _decisions(contrast: Contrast) -> pd.DataFrame:
    """One row a task setting: how sure it is, and who is better or why nobody is."""
    return pd.DataFrame(
        [
            [
                charts.task_name(task),
                p_value(task.p_value),
                p_value(task.p_value_adjusted),
                detectable(task),
                winner_name(contrast, task),
            ]
            for task in contrast.tasks
        ],
        columns=["Task", "p", "Holm's p", "Would show", "Better"],
    )


def _energy(verdict: Verdict, contrast: Contrast) -> None:
    st.subheader("Cost", anchor=False)
    left, right = st.columns([2, 3])
    arms = [arm for arm in verdict.arms if arm.arm in (contrast.first, contrast.second)]
    chart = charts.energy_bars(arms)
    methods = ", ".join(dict.fromkeys(arm.energy_method for arm in arms))
    if chart is None:
        left.info("The energy is unknown: this machine gave no reading.")
    else:
        left.altair_chart(chart)
        left.caption(f"How it was obtained: {words.plain(methods)}")
    right.dataframe(_table(arms), hide_index=True, height="content")


def _table(arms: list[ArmSummary] | tuple[ArmSummary, ...]) -> pd.DataFrame:
    """One column an arm: everything that the arms cost and are."""
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
