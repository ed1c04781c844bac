"""The same by datatrove and fastText, each on one core."""

import tempfile
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

from glam.bench.data.corpus import (
    RULED_MEGABYTES,
    documents,
    first_megabytes,
    is_test,
    use_one_core,
    with_planted_duplicates,
)
from glam.bench.data.ours import Facts, prepare_packing
from glam.config import DedupConfig
from glam.data.dedup import bands
from glam.data.filters import first_reason
from glam.data.tokenizer import FILE
from glam.recipes import GOPHER_FILTERS
from glam.records import Document

LOSS = "softmax"
DIMENSIONS = 16
BUCKETS_LOG2 = 18


def rules(folder: str | None) -> Callable[[], None]:
    """datatrove's two filters of Gopher."""
    use_one_core()
    verdict, found = _gopher(), _theirs(first_megabytes(documents(folder), RULED_MEGABYTES))
    verdict(found[0])  # it loads its word tokenizer with the first document

    def call() -> None:
        for document in found:
            verdict(document)

    return call


def rules_agreement(folder: str | None) -> Callable[[], Facts]:
    """On which share of the documents datatrove and we say the same."""
    use_one_core()
    verdict, found = _gopher(), documents(folder)
    same = [
        verdict(theirs) == (first_reason(ours, GOPHER_FILTERS) is None)
        for ours, theirs in zip(found, _theirs(found), strict=True)
    ]
    return lambda: {"agreement": sum(same) / len(same)}


def quality(folder: str | None) -> Callable[[], Facts]:
    """fastText's supervised model of words and word pairs."""
    use_one_core()
    fasttext: Any = import_module("fasttext")
    found = documents(folder)
    tested = [each for each in found if is_test(each)]
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "train.txt"
        file.write_text("".join(f"__label__{int(each.curated)} {_line(each)}\n" for each in found if not is_test(each)))
        model = fasttext.train_supervised(
            str(file), dim=DIMENSIONS, wordNgrams=2, minn=0, maxn=0, bucket=1 << BUCKETS_LOG2, thread=1, verbose=0
        )
    lines, curated = [_line(each) for each in tested], [each.curated for each in tested]

    def call() -> Facts:
        scores = []
        for line in lines:
            labels, shares = model.predict(line, k=2)
            scores.append(dict(zip(labels, shares, strict=True))["__label__1"])
        return {"auc": float(roc_auc_score(curated, scores))}

    return call


def near_duplicates(folder: str | None) -> Callable[[], Facts]:
    """datatrove's steps of MinHash with our parameters, all in one process."""
    use_one_core()
    minhash: Any = import_module("datatrove.pipeline.dedup.minhash")
    config = DedupConfig()
    num_bands, rows = bands(config)
    # SHA-1, for its xxHash asks for a release before ours; hashing is a small part of its time.
    hashing: Any = import_module("datatrove.utils.hashing")
    theirs = minhash.MinhashConfig(
        n_grams=config.word_ngram,
        num_buckets=num_bands,
        hashes_per_bucket=rows,
        hash_config=hashing.HashConfig(hash_fc="sha1"),
    )
    found, _ = with_planted_duplicates(documents(folder))
    ready = _theirs(found)

    def call() -> Facts:
        with tempfile.TemporaryDirectory() as place:
            folders = [f"{place}/{name}" for name in ("signatures", "buckets", "remove")]
            minhash.MinhashDedupSignature(folders[0], config=theirs).run(iter(ready), 0, 1)
            for bucket in range(num_bands):
                minhash.MinhashDedupBuckets(folders[0], folders[1], config=theirs).run(None, bucket, num_bands)
            minhash.MinhashDedupCluster(folders[1], folders[2], config=theirs).run(None, 0, 1)
            kept = sum(1 for _ in minhash.MinhashDedupFilter(folders[2]).run(iter(ready), 0, 1))
        return {"kept": kept}

    return call


def packing(folder: str | None) -> Callable[[], None]:
    """datatrove's reader of JSON lines and its tokenizer step, with our tokenizer.json."""
    use_one_core()
    made = tempfile.TemporaryDirectory()
    prepare_packing(documents(folder), Path(made.name))
    readers: Any = import_module("datatrove.pipeline.readers")
    tokens: Any = import_module("datatrove.pipeline.tokens")

    def call() -> None:
        with tempfile.TemporaryDirectory() as place:
            read = readers.JsonlReader(made.name, glob_pattern="train-*.jsonl", compression=None).run(None, 0, 1)
            tokens.DocumentTokenizer(place, tokenizer_name_or_path=f"{made.name}/{FILE}", eos_token=None).run(
                read, 0, 1
            )

    return call


def _gopher() -> Callable[[Any], bool]:
    filters: Any = import_module("datatrove.pipeline.filters")
    steps = [filters.GopherQualityFilter(), filters.GopherRepetitionFilter()]
    return lambda document: all(step.filter(document) is True for step in steps)


def _theirs(found: Iterable[Document]) -> list[Any]:
    data: Any = import_module("datatrove.data")
    return [data.Document(text=each.text, id=each.id) for each in found]


def _line(document: Document) -> str:
    return " ".join(document.text.lower().split())
