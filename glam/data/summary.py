"""All that a person may ask of prepared data, read from the reports of its folders."""

import random
from collections.abc import Iterator
from typing import NamedTuple

from glam.data.extract import read_report
from glam.data.quality import FACTS as CLASSIFIER_FACTS
from glam.data.quality import ClassifierFacts
from glam.data.report import Example, ExtractionReport, SelectionReport
from glam.data.selection import EXAMPLES
from glam.data.selection import REPORT as SELECTION_REPORT
from glam.data.shards import FACTS as SHARDS_FACTS
from glam.data.shards import Shards, ShardsFacts
from glam.data.tokenizer import Tokenizer
from glam.records import Record
from glam.store import Folder, Store


class DataSummary(Record):
    """From source to rows."""

    extraction: ExtractionReport
    classifier: ClassifierFacts
    selection: SelectionReport
    examples: tuple[Example, ...]
    """Kept and dropped by the keep rule, at each decile of the score."""
    shards: ShardsFacts


class Sampled(NamedTuple):
    """A document of the shards, as a model gets it."""

    number: int
    source: str
    num_tokens: int
    text: str


def summarize(shards: Folder, store: Store) -> DataSummary:
    """What became of the text on its way to these shards. Raises StoreError where a folder on the way is gone."""
    selected = _read_by(shards, "corpora", store, label_end="-selected")
    # One that is judged as another reads that one's selected corpus too.
    extracted = _read_by(selected, "corpora", store, label_end="-extracted")
    classifier = _read_by(selected, "classifiers", store)
    return DataSummary(
        extraction=read_report(extracted),
        classifier=ClassifierFacts.model_validate(classifier.read_json(CLASSIFIER_FACTS)),
        selection=SelectionReport.model_validate(selected.read_json(SELECTION_REPORT)),
        examples=tuple(selected.read(EXAMPLES, Example)),
        shards=ShardsFacts.model_validate(shards.read_json(SHARDS_FACTS)),
    )


def sample(shards: Folder, store: Store, *, num_documents: int, source: str | None, seed: int) -> Iterator[Sampled]:
    """Documents drawn at random, of one kind or of all. Raises ValueError for a kind that is not there."""
    opened, tokenizer = Shards.open(shards.path), Tokenizer.load(_read_by(shards, "tokenizers", store).path)
    numbers = opened.documents_of(source)
    drawn = random.Random(seed).sample(range(len(numbers)), min(num_documents, len(numbers)))
    for number in (int(numbers[place]) for place in drawn):
        ids, kind = opened.document(number)
        yield Sampled(number, kind, len(ids), tokenizer.decode(ids))


def _read_by(folder: Folder, kind: str, store: Store, label_end: str = "") -> Folder:
    """The folder of a kind that `folder` was made from."""
    names = (name.rpartition("-") for name in folder.manifest().reads if name.startswith(f"{kind}/"))
    (mark,) = (mark for label, _, mark in names if label.endswith(label_end))
    return store.open(kind, mark)
