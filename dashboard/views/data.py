"""Data: what became of the text on its way to a model."""

from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import words
from dashboard.charts.data import dropped, left_after, mixture, score_histogram
from dashboard.parts import choices, drawing
from dashboard.queries import Broken, store_root
from dashboard.queries.data import SIDES, list_data, read_summary, sample_documents
from glam.data.report import SelectionReport
from glam.data.shards import ShardsFacts
from glam.data.summary import DataSummary

STEPS = {
    "extracted": "extracted, by the rules",
    "quality": "after the quality classifier",
    "exact_duplicate": "without exact duplicates",
    "near_duplicate": "without near duplicates",
    "train": "to train on",
    "heldout": "held out",
}
EXAMPLES, MOST_EXAMPLES = "by score", 12
MOST_CHARACTERS = 1_500
SAMPLES = 6


def show() -> None:
    """The page."""
    root = store_root()
    st.title("Data", anchor=False)
    entries = {entry.fingerprint: entry.title for entry in list_data(root)}
    if not entries:
        drawing.nothing(f"No text is prepared in {root} yet. Prepare that of a recipe with:", "glam prepare quickstart")
        return
    chosen = choices.one_of("Shards", entries, "data")
    try:
        summary = read_summary(root, chosen)
    except Broken as error:
        st.error(words.plain(f"{entries[chosen]} cannot be read: {error}"))
        return
    _headline(summary)
    sources = sorted({*summary.shards.sources, *summary.selection.kept, *summary.extraction.read})
    left, right = st.columns(2)
    selection = summary.selection
    drawing.chart(left_after(selection.steps, STEPS), "documents left", absent="No step was counted.", place=left)
    drawing.chart(
        dropped(selection.dropped, sources),
        "documents dropped",
        absent="Nothing was dropped.",
        data=_drops(selection),
        place=right,
    )
    left, right = st.columns(2)
    drawing.chart(
        score_histogram(selection.score_histogram, sources),
        "quality scores",
        absent=f"No scores: {summary.classifier.skipped or selection.classifier_skipped or 'no document was judged'}.",
        place=left,
    )
    drawing.chart(
        mixture(_shares(summary.shards), sources), "mixture", absent="The shards name no kinds of text.", place=right
    )
    st.subheader("Of each kind", anchor=False)
    kinds = _kinds(summary)
    whole = {name: st.column_config.NumberColumn(format="localized") for name in kinds.columns if name != "Source"}
    drawing.table(kinds, "kinds of text", columns=whole, full=True)
    _overlap(selection)
    _samples(root, chosen, summary)


def _headline(summary: DataSummary) -> None:
    facts, selection = summary.shards, summary.selection
    auc = "unknown" if summary.classifier.auc is None else words.number(summary.classifier.auc, digits=3)
    skipped = summary.classifier.skipped
    heldout = selection.steps.get("heldout")
    st.markdown(
        words.plain(
            f"{facts.num_tokens:,} tokens of {facts.num_documents:,} documents, in {facts.num_rows:,} rows of "
            f"{facts.sequence_length}; vocabulary {facts.vocab_size:,}. Held out: "
            f"{words.UNKNOWN if heldout is None else f'{heldout.documents:,}'} documents of "
            f"{words.some(len(selection.heldout_units), 'unit')}. Near duplicates: "
            f"{words.some(selection.num_near_clusters, 'cluster')} of more than one document. Quality classifier: "
            f"{skipped or f'AUC {auc} on documents it was not trained on'}."
        )
    )


def _drops(selection: SelectionReport) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"reason": reason, "source": source, "documents": count}
            for reason, by_source in selection.dropped.items()
            for source, count in by_source.items()
        ]
    )


def _shares(facts: ShardsFacts) -> dict[str, tuple[float, float]]:
    """By kind: (share of an epoch, share of all tokens)."""
    epoch, every = sum(kind.tokens_of_epoch for kind in facts.kinds), sum(kind.num_tokens for kind in facts.kinds)
    return {
        kind.name: (kind.tokens_of_epoch / epoch, kind.num_tokens / every) for kind in facts.kinds if epoch and every
    }


def _kinds(summary: DataSummary) -> pd.DataFrame:
    """Documents and megabytes by source: read, passed by the rules, kept by the selection; tokens and repeats."""
    kinds = {kind.name: kind for kind in summary.shards.kinds}
    extraction, kept = summary.extraction, summary.selection.kept
    rows = []
    for source in sorted({*extraction.read, *kept, *kinds}):
        kind = kinds.get(source)
        read, passed, left = (each.get(source) for each in (extraction.read, extraction.kept, kept))
        rows.append(
            {
                "Source": source,
                "Read": None if read is None else read.documents,
                "Read, MB": None if read is None else read.bytes / 1e6,
                "Passed the rules": None if passed is None else passed.documents,
                "Kept": None if left is None else left.documents,
                "Kept, MB": None if left is None else left.bytes / 1e6,
                "Tokens": None if kind is None else kind.num_tokens,
                "Weight": None if kind is None else kind.weight,
                "Repeats in an epoch": None if kind is None or not kind.num_tokens else kind.repeats,
            }
        )
    return pd.DataFrame(rows).round(3)


def _overlap(selection: SelectionReport) -> None:
    st.subheader("Overlap", anchor=False)
    overlap = selection.overlap
    some, most, ngrams = (
        words.percent(each)
        for each in (overlap.document_fraction, overlap.mostly_overlapping_fraction, overlap.ngram_fraction)
    )
    st.markdown(
        words.plain(
            f"Of {overlap.num_documents:,} held-out documents {some} share at least one {overlap.ngram}-gram with the "
            f"training side, and {most} share most of theirs; of their {overlap.num_ngrams:,} {overlap.ngram}-grams "
            f"{ngrams} stand there too."
        )
    )
    if not selection.benchmarks:
        st.caption("Benchmarks: unknown. None was named in data.overlap.benchmarks when this text was prepared.")
        return
    rows = [
        {
            "Task": each.task.replace("_", " "),
            "Examples": each.num_examples,
            "Too short": each.num_short,
            "Touched": each.num_touched,
            "Share": words.percent(each.touched_fraction),
        }
        for each in selection.benchmarks
    ]
    drawing.table(pd.DataFrame(rows), "benchmark overlap", full=len(rows) <= 40)


def _samples(root: Path, chosen: str, summary: DataSummary) -> None:
    st.subheader("Samples", anchor=False)
    kinds = {EXAMPLES: "By score of the classifier", **{side: f"From the {side} side" for side in SIDES}}
    kind = choices.one_of_few("Samples", kinds, "samples")
    if kind == EXAMPLES:
        shown = [
            (
                f"score {words.number(each.score, digits=2)}, {'kept' if each.kept else 'dropped'}, {each.source}",
                each.text,
            )
            for each in sorted(summary.examples, key=lambda each: each.score)
        ]
        every = max(1, len(shown) // MOST_EXAMPLES)
        shown = shown[::every][:MOST_EXAMPLES]
    else:
        try:
            documents = sample_documents(root, chosen, kind, SAMPLES)
        except Broken as error:
            st.error(words.plain(f"The documents cannot be read: {error}"))
            return
        shown = [(f"{each.source}, {each.unit}: {each.id}"[:160], each.text) for each in documents]
    if not shown:
        st.info("There is no such text.")
    for title, text in shown:
        with st.expander(words.plain(title)):
            cut = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} …"
            st.code(cut, language=None, wrap_lines=True)
