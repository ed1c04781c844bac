"""Compare: one study and its verdict, or any two runs. Which is better, at what cost?"""

import streamlit as st

from dashboard.queries import VerdictEntry, list_runs, list_verdicts, read_verdict, store_root
from dashboard.views import pair, verdict
from dashboard.words import plain
from glam.store import StoreError

STUDY, PAIR = "A study", "A pair of runs"


def show() -> None:
    """The page."""
    root = store_root()
    verdicts, runs = list_verdicts(root), list_runs(root)
    st.title("Sparse against dense", anchor=False)
    if not verdicts and not runs:
        st.info(f"There is nothing in {plain(str(root))} yet. Make a first verdict (some minutes on two cores):")
        st.code("glam run quickstart", language="sh")
        return
    pairing = len([run for run in runs if run.state != "broken"]) >= 2
    options = [name for name, there in ((STUDY, bool(verdicts)), (PAIR, pairing)) if there]
    if not options:
        st.info("No study is finished and there are no two runs to compare yet. Finish one with:")
        st.code("glam run quickstart", language="sh")
        return
    kind = st.segmented_control("Compare", options, default=options[0], label_visibility="collapsed") or options[0]
    if kind == PAIR:
        pair.show(root, runs)
        return
    chosen = _choose(verdicts)
    try:
        found = read_verdict(root, chosen.fingerprint)
    except StoreError as error:
        st.error(plain(str(error)))
        return
    verdict.show(root, found)


def _choose(verdicts: list[VerdictEntry]) -> VerdictEntry:
    """The study of the page's address, or the newest; a choice goes into the address."""
    by_fingerprint = {entry.fingerprint: entry for entry in verdicts}
    asked = st.query_params.get("study", "")
    names = list(by_fingerprint)
    chosen = st.selectbox(
        "Study",
        names,
        index=names.index(asked) if asked in by_fingerprint else 0,
        format_func=lambda fingerprint: by_fingerprint[fingerprint].title,
    )
    if len(verdicts) > 1:
        st.query_params["study"] = chosen
    return by_fingerprint[chosen]
