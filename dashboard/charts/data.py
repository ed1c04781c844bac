"""What became of text: amounts, reasons and scores."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from dashboard.charts.common import COUNT, QUIET, Figure, source_scale, top_legend
from glam.data.report import Amount

LABELS = alt.Axis(labelLimit=190)


def left_after(steps: Mapping[str, Amount], names: Mapping[str, str]) -> Figure | None:
    """Documents that were left after each step of the selection; `names` are those that are shown, in their order."""
    rows = [
        {"step": title, "documents": steps[name].documents, "megabytes": steps[name].bytes / 1e6}
        for name, title in names.items()
        if name in steps
    ]
    if not rows:
        return None
    return (
        alt.Chart(pd.DataFrame(rows), title="Documents left after each step", height=alt.Step(30))
        .mark_bar(size=18, color=QUIET, cornerRadiusEnd=3)
        .encode(
            x=alt.X("documents:Q", title="documents", axis=COUNT),
            y=alt.Y("step:N", title=None, sort=list(names.values()), axis=LABELS),
            tooltip=["step:N", alt.Tooltip("documents:Q", format=","), alt.Tooltip("megabytes:Q", format=",.2f")],
        )
    )


def dropped(counts: Mapping[str, Mapping[str, int]], sources: Sequence[str]) -> Figure | None:
    """Documents that were dropped, by reason and source, most frequent first."""
    rows = [
        {"reason": reason.replace("_", " "), "source": source, "documents": count}
        for reason, by_source in counts.items()
        for source, count in by_source.items()
        if count
    ]
    if not rows:
        return None
    return (
        alt.Chart(pd.DataFrame(rows), title="Dropped, by reason", height=alt.Step(24))
        .mark_bar(size=16)
        .encode(
            x=alt.X("documents:Q", title="documents", axis=COUNT),
            y=alt.Y("reason:N", title=None, sort="-x", axis=LABELS),
            color=alt.Color("source:N", scale=source_scale(sources), legend=top_legend()),
            tooltip=["reason:N", "source:N", alt.Tooltip("documents:Q", format=",")],
        )
    )


def score_histogram(bins: Mapping[str, Sequence[int]], sources: Sequence[str]) -> Figure | None:
    """Documents by the classifier's score, each source in its colour; None where no document was judged."""
    rows = [
        {"from": place / len(counts), "to": (place + 1) / len(counts), "source": source, "documents": count}
        for source, counts in bins.items()
        for place, count in enumerate(counts)
    ]
    if not any(row["documents"] for row in rows):
        return None
    return (
        alt.Chart(pd.DataFrame(rows), title="Score of the quality classifier", height=330)
        .mark_bar()
        .encode(
            x=alt.X("from:Q", bin="binned", title="score (1: like curated text)"),
            x2="to:Q",
            y=alt.Y("documents:Q", title="documents", axis=COUNT),
            color=alt.Color("source:N", scale=source_scale(sources), legend=top_legend()),
            tooltip=["source:N", "from:Q", "to:Q", alt.Tooltip("documents:Q", format=",")],
        )
    )


def mixture(shares: Mapping[str, tuple[float, float]], sources: Sequence[str]) -> Figure | None:
    """(share of an epoch, share of all tokens) by kind of text."""
    rows = [
        {"kind": kind, "of": of, "share": share}
        for kind, pair in shares.items()
        for of, share in zip(("an epoch", "all tokens"), pair, strict=True)
    ]
    if not rows:
        return None
    return (
        alt.Chart(pd.DataFrame(rows), title="Mixture", height=alt.Step(34))
        .mark_bar(size=22)
        .encode(
            x=alt.X("share:Q", title="share of tokens", axis=alt.Axis(format=".0%", tickCount=6)),
            y=alt.Y("of:N", title=None),
            color=alt.Color("kind:N", scale=source_scale(sources), legend=top_legend()),
            tooltip=["kind:N", "of:N", alt.Tooltip("share:Q", format=".1%")],
        )
    )
