"""Runs: everything that was or is being trained in this store, what sets two apart, and where else they stand."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.parts import choices, drawing
from dashboard.queries import RunEntry, list_runs, list_verdicts, store_root
from dashboard.queries.servers import pages_of, stack_of
from dashboard.views import pair

REFRESH_SECONDS = 5
VIEWS = {"list": "All runs", "pair": "Two runs", "elsewhere": "In Prefect and MLflow"}
MOST_BROKEN = 20
ANY = "any"
COLUMNS = {
    "started": "Started, UTC",
    "study": "Study",
    "arm": "Arm",
    "seed": "Seed",
    "steps": "Steps",
    "loss": "Training loss",
    "heldout": "Held-out loss",
    "speed": "Tokens per second",
    "time": "Time",
    "energy": "Energy",
    "method": "Energy obtained by",
    "params": "Parameters",
    "fingerprint": "Fingerprint",
}
SHOWN = ("started", "arm", "seed", "steps", "loss", "heldout", "speed", "time", "energy", "fingerprint")


def show() -> None:
    """The page; the table draws itself anew while something is running."""
    root = store_root()
    st.title("Runs", anchor=False)
    runs = list_runs(root)
    if not runs:
        drawing.nothing(f"Nothing was trained in {root} yet. Start with:", "glam run quickstart")
        return
    view = choices.one_of_few("Show", VIEWS, "view")
    readable = [run for run in runs if run.state != "broken"]
    if view == "list":
        _list(root, runs)
    elif view == "elsewhere":
        _elsewhere(root, runs)
    elif len(readable) < 2:
        drawing.nothing("There are no two runs that can be read. Make some with:", "glam run quickstart")
    else:
        pair.draw(root, readable)


def _list(root: Path, runs: list[RunEntry]) -> None:
    """Filters, columns, the table, and what cannot be read."""
    studies = {entry.fingerprint: entry for entry in list_verdicts(root)}
    one, two, three, four = st.columns([3, 2, 2, 3])
    there = {run.state: run.state for run in sorted(runs, key=lambda run: run.state)}
    states = choices.some_of("State", there, "state", default=list(there), place=one)
    arms = {ANY: ANY, **{arm: arm for arm in sorted({run.arm for run in runs})}}
    arm = choices.one_of("Arm", arms, "arm", place=two)
    study = choices.one_of(
        "Study", {ANY: ANY, **{mark: entry.title for mark, entry in studies.items()}}, "of", place=three
    )
    asked = choices.text("Search", "search", placeholder="name or fingerprint", place=four)
    columns = choices.some_of("Columns", COLUMNS, "columns", default=SHOWN)

    def wanted(run: RunEntry) -> bool:
        return (
            run.state in states
            and arm in (ANY, run.arm)
            and (study == ANY or run.fingerprint in studies[study].runs)
            and asked.casefold() in f"{run.name} {run.fingerprint}".casefold()
        )

    running = any(run.state == "running" for run in runs)
    names = {mark: entry.name for entry in studies.values() for mark in entry.runs}
    st.fragment(_table, run_every=REFRESH_SECONDS if running else None)(root, wanted, names, columns)
    if any(run.state == "interrupted" for run in runs):
        st.caption("An interrupted run goes on where it stopped when the same command is given again.")
    broken = [run for run in runs if run.state == "broken"]
    for run in broken[:MOST_BROKEN]:
        st.error(words.plain(f"{run.name}-{run.fingerprint} cannot be read: {run.problem}"))
    if len(broken) > MOST_BROKEN:
        st.error(f"And {len(broken) - MOST_BROKEN} more that cannot be read.")


def _table(root: Path, wanted: Callable[[RunEntry], bool], names: Mapping[str, str], columns: list[str]) -> None:
    rows = [run for run in list_runs(root) if wanted(run)]
    if not rows:
        st.info("No run is of this kind.")
        return
    order = ["Run", "State", *(COLUMNS[name] for name in COLUMNS if name in columns)]
    frame = pd.DataFrame([_row(run, names) for run in rows])
    drawing.table(
        frame.reindex(columns=order),
        "runs",
        columns={
            COLUMNS["started"]: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
            COLUMNS["loss"]: st.column_config.NumberColumn(format="%.4f"),
            COLUMNS["heldout"]: st.column_config.NumberColumn(format="%.4f"),
            COLUMNS["steps"]: st.column_config.NumberColumn(format="localized"),
        },
        raw=pd.DataFrame([_numbers(run, names) for run in rows]),
    )
    st.caption(words.some(len(rows), "run"))


def _row(run: RunEntry, names: Mapping[str, str]) -> dict[str, object]:
    summary = run.summary
    return {
        "Run": run.name,
        "State": run.state,
        COLUMNS["started"]: run.started and run.started.replace(tzinfo=None),
        COLUMNS["study"]: names.get(run.fingerprint, words.UNKNOWN),
        COLUMNS["arm"]: run.arm,
        COLUMNS["seed"]: run.seed,
        COLUMNS["steps"]: run.num_steps,
        COLUMNS["loss"]: run.loss,
        COLUMNS["heldout"]: summary.heldout_loss if summary else None,
        COLUMNS["speed"]: words.count(run.tokens_per_second),
        COLUMNS["time"]: words.duration(run.elapsed_seconds),
        COLUMNS["energy"]: words.energy(run.energy_joules),
        COLUMNS["method"]: summary.energy_method if summary else words.UNKNOWN,
        COLUMNS["params"]: words.count(summary.total_params if summary else None),
        COLUMNS["fingerprint"]: run.fingerprint,
    }


def _numbers(run: RunEntry, names: Mapping[str, str]) -> dict[str, object]:
    """The same with bare numbers."""
    known = run.summary.model_dump(exclude={"detours", "schema_version"}) if run.summary else {}
    return {
        "run": run.name,
        "fingerprint": run.fingerprint,
        "state": run.state,
        "started": run.started,
        "study": names.get(run.fingerprint),
        "steps": run.num_steps,
        "loss": run.loss,
        "elapsed_seconds": run.elapsed_seconds,
        "energy_joules": run.energy_joules,
        **known,
    }


def _elsewhere(root: Path, runs: list[RunEntry]) -> None:
    """Links to the servers of the stack, where it is up."""
    stack = stack_of(root)
    if stack is None:
        drawing.nothing(
            "Prefect and MLflow are not up for this store. Start both, and this page beside them, with:", "glam up"
        )
        return
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    titles = {run.fingerprint: run.title for run in runs}
    chosen = choices.one_of("Run", titles, "run", place=left)
    pages = pages_of(stack.mlflow, stack.prefect_page, chosen)
    with right, st.container(horizontal=True):
        st.link_button("This run in MLflow", pages.mlflow or stack.mlflow, disabled=pages.mlflow is None)
        st.link_button("Its flow in Prefect", pages.prefect or stack.prefect_page, disabled=pages.prefect is None)
        st.link_button("MLflow", stack.mlflow)
        st.link_button("Prefect", stack.prefect_page)
    if pages.problem:
        st.caption(words.plain(f"{pages.problem}. It is asked without an account: where it has some, look there."))
    elif pages.prefect is None:
        st.caption("MLflow does not say which flow run of Prefect this was.")
