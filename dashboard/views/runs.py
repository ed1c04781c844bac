"""Runs: everything that was or is being trained in this store."""

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.queries import RunEntry, list_runs, store_root

REFRESH_SECONDS = 5


def show() -> None:
    """The page; it draws itself anew while something is running."""
    st.title("Runs", anchor=False)
    running = any(run.state == "running" for run in list_runs(store_root()))
    st.fragment(_table, run_every=REFRESH_SECONDS if running else None)()


def _table() -> None:
    root = store_root()
    runs = list_runs(root)
    if not runs:
        st.info(f"Nothing was trained in {words.plain(str(root))} yet. Start with:")
        st.code("glam run quickstart", language="sh")
        return
    states = list(dict.fromkeys(run.state for run in runs))
    chosen = st.pills("State", states, selection_mode="multi", default=states)
    st.dataframe(
        pd.DataFrame([_row(run) for run in runs if run.state in chosen]),
        hide_index=True,
        column_config={"Started, UTC": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")},
    )
    if any(run.state == "interrupted" for run in runs):
        st.caption("An interrupted run goes on where it stopped when the same command is given again.")
    for run in runs:
        if run.state == "broken":
            st.error(words.plain(f"{run.name}-{run.fingerprint} cannot be read: {run.problem}"))


def _row(run: RunEntry) -> dict[str, object]:
    summary, last = run.summary, run.last
    return {
        "Run": run.name,
        "State": run.state,
        "Started, UTC": run.started,
        "Steps": words.UNKNOWN if last is None else str(last.step),
        "Training loss": words.number(last.loss if last else None),
        "Held-out loss": words.number(summary.heldout_loss if summary else None),
        "Tokens per second": words.count(last.tokens_per_second if last else None),
        "Time": words.duration(last.elapsed_seconds if last else None),
        "Energy": words.energy(last.energy_joules if last else None),
        "Energy obtained by": summary.energy_method if summary else words.UNKNOWN,
        "Fingerprint": run.fingerprint,
    }
