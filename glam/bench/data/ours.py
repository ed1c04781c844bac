"""Our contestants: rules, quality scores, near duplicates, tokenising and packing, each on one core."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from glam.bench.data.corpus import (
    FIRST_PASS_MEGABYTES,
    RULED_MEGABYTES,
    documents,
    first_megabytes,
    is_test,
    ruled_slices,
    use_one_core,
    with_planted_duplicates,
)
from glam.config import DataConfig, DedupConfig, QualityConfig, TokenizerConfig
from glam.data.dedup import clusters
from glam.data.filters import first_reason
from glam.data.ledger import Ledger, write_ledger
from glam.data.packing import encode_shard, pack
from glam.data.quality import Classifier, train_classifier
from glam.data.tokenizer import FILE, Tokenizer, train_tokenizer
from glam.recipes import GOPHER_FILTERS
from glam.records import Document
from glam.store import Folder, FolderReference

Facts = dict[str, float]
TOKENIZER = TokenizerConfig()


def rules(folder: str | None) -> Callable[[], None]:
    """Verdicts by the rules of Gopher."""
    use_one_core()
    found = first_megabytes(documents(folder), RULED_MEGABYTES)

    def call() -> None:
        for document in found:
            first_reason(document, GOPHER_FILTERS)

    return call


def rules_first_pass(folder: str | None) -> Callable[[], None]:
    """The same of other documents each time, in which new words are met."""
    use_one_core()
    slices = iter(ruled_slices(documents(folder, FIRST_PASS_MEGABYTES)))

    def call() -> None:
        for document in next(slices):
            first_reason(document, GOPHER_FILTERS)

    return call


def quality(folder: str | None) -> Callable[[], Facts]:
    """Scores of the documents that the classifier was not trained on."""
    use_one_core()
    found = documents(folder)
    tested = [each for each in found if is_test(each)]
    with tempfile.TemporaryDirectory() as place:
        store = _folder(place)
        train_classifier(QualityConfig(), [each for each in found if not is_test(each)], store)
        classifier = Classifier.load(store)
    if classifier is None:
        raise ValueError("these documents are of one class; the quality rows need curated and other text")
    texts, curated = [each.text for each in tested], [each.curated for each in tested]
    return lambda: {"auc": float(roc_auc_score(curated, classifier.score(texts)))}


def near_duplicates(folder: str | None) -> Callable[[], Facts]:
    """Clusters of documents of which some are planted copies with changed words."""
    use_one_core()
    found, planted = with_planted_duplicates(documents(folder))
    config = DataConfig(dedup=DedupConfig(), quality=QualityConfig(enabled=False))

    def call() -> Facts:
        with tempfile.TemporaryDirectory() as place:
            write_ledger(config, 0, found, None, _folder(place))
            labels, members = clusters(*Ledger(_folder(place), 1).matches("band", 0, 1))
        cluster = dict(zip(members.tolist(), labels.tolist(), strict=True))
        together = [first in cluster and cluster[first] == cluster.get(copy) for first, copy in planted.items()]
        return {"recall": float(np.mean(together))}

    return call


def packing(folder: str | None) -> Callable[[], None]:
    """Documents on disk to packed rows."""
    use_one_core()
    made = tempfile.TemporaryDirectory()
    selected, tokenizer = prepare_packing(documents(folder), Path(made.name))

    def call() -> None:
        with tempfile.TemporaryDirectory(dir=made.name) as place:
            encode_shard(0, selected, tokenizer, _folder(place))
            pack(DataConfig(source={"num_shards": 1}), None, tokenizer.vocab_size, _folder(place))  # pyright: ignore

    return call


def prepare_packing(found: list[Document], place: Path) -> tuple[Folder, Tokenizer]:
    """A folder with the documents as selection leaves them, and a tokenizer trained on them."""
    selected = _folder(str(place))
    selected.write_text("train-00000.jsonl", "".join(each.model_dump_json() + "\n" for each in found))
    tokenizer, _ = train_tokenizer([each.text for each in found[:500]], TOKENIZER)
    selected.write_text(FILE, tokenizer.to_json())
    return selected, tokenizer


def _folder(place: str) -> Folder:
    return Folder(Path(place), FolderReference(kind="corpora", label="bench", fingerprint="0" * 16))
