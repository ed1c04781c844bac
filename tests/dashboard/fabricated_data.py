"""The folders from a source to shards, with reports of a few documents and no tokens."""

from glam.data.overlap import BenchmarkOverlap, Overlap
from glam.data.quality import ClassifierFacts
from glam.data.report import Amount, Example, ExtractionReport, SelectionReport
from glam.data.shards import KindShare, ShardsFacts
from glam.records import Document
from glam.store import Store

HOSTILE_TEXT = "<script>document.title = 'taken'</script> # heading [link](http://example.invalid)"


def write_data(store: Store) -> str:
    """The name of the shards' folder."""
    kept = {"docs": Amount(documents=40, bytes=40_000), "web": Amount(documents=60, bytes=30_000)}
    read = {"docs": Amount(documents=50, bytes=50_000), "web": Amount(documents=150, bytes=90_000)}
    dropped = {"too_short": {"web": 60, "docs": 4}, "quality": {"web": 30}, "near_duplicate": {"docs": 6}}
    with store.claim("corpora", "texts-extracted", "1" * 16) as extracted:
        report = ExtractionReport(num_units=12, read=read, kept=kept, dropped=dropped)
        extracted.write_text("report.json", report.model_dump_json())
        extracted.commit(config={}, revision=1)
    with store.claim("classifiers", "texts", "2" * 16) as classifier:
        facts = ClassifierFacts(num_curated=10, num_rest=20, num_features_log2=18)
        classifier.write_text("classifier.json", facts.model_dump_json())
        classifier.commit(config={}, reads=[str(extracted.reference)], revision=1)
    with store.claim("corpora", "texts-selected", "3" * 16) as selected:
        selected.write_text("report.json", _selection(kept, dropped).model_dump_json())
        examples = [
            Example(
                document_id=f"d{place}",
                source="web",
                score=place / 10,
                decile=place,
                kept=place > 4,
                text=HOSTILE_TEXT,
            )
            for place in range(10)
        ]
        selected.append("examples.jsonl", examples)
        for side in ("train", "heldout"):
            documents = [
                Document(id=f"{side}{n}", text=f"{side} {HOSTILE_TEXT}", source="docs", unit="u") for n in range(9)
            ]
            selected.append(f"{side}-00000.jsonl", documents)
        selected.commit(config={}, reads=[str(extracted.reference), str(classifier.reference)], revision=1)
    with store.claim("shards", "texts", "4" * 16) as shards:
        shards.write_text("shards.json", _shards().model_dump_json())
        shards.commit(config={}, reads=[str(selected.reference)], revision=1)
    return str(shards.reference)


def _selection(kept: dict[str, Amount], dropped: dict[str, dict[str, int]]) -> SelectionReport:
    steps = {
        name: Amount(documents=documents, bytes=700 * documents)
        for name, documents in (
            ("extracted", 130),
            ("quality", 106),
            ("exact_duplicate", 104),
            ("near_duplicate", 100),
            ("train", 91),
            ("heldout", 9),
        )
    }
    return SelectionReport(
        steps=steps,
        kept=kept,
        dropped=dropped,
        num_near_clusters=3,
        heldout_units=("u",),
        auc=0.91,
        classifier_skipped=None,
        score_histogram={"web": tuple(range(20)), "docs": tuple(reversed(range(20)))},
        overlap=Overlap(
            ngram=13,
            num_documents=9,
            num_ngrams=500,
            document_fraction=0.2,
            mostly_overlapping_fraction=0.0,
            ngram_fraction=0.01,
        ),
        benchmarks=(
            BenchmarkOverlap(task="arc_easy", num_examples=25, num_short=3, num_touched=1, touched_fraction=1 / 22),
        ),
    )


def _shards() -> ShardsFacts:
    return ShardsFacts(
        sequence_length=256,
        vocab_size=4096,
        dtype="<u2",
        rows_per_file=100,
        num_rows=80,
        num_tokens=20_500,
        num_tokens_left_out=20,
        num_documents=91,
        files=("tokens-00000.bin",),
        sources=("docs", "web"),
        kinds=(
            KindShare(name="docs", weight=0.6, num_tokens=9_000, tokens_of_epoch=12_300),
            KindShare(name="web", weight=0.4, num_tokens=11_500, tokens_of_epoch=8_200),
        ),
    )
