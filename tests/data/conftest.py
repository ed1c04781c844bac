"""Small made-up corpora and open folders to write them into."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import pytest

from glam.config import DataConfig, QualityConfig, SourceConfig, SplitConfig, TokenizerConfig
from glam.lineage import DataStages, data_stages
from glam.records import Document
from glam.store import Folder, Store
from workers.prepare import stage_calls

VOCABULARY = [f"{first}{middle}{last}" for first in "bdfgk" for middle in "aeiou" for last in ("rt", "lm", "sk", "nd")]
MakeFolder = Callable[[str], Folder]


def prose(seed: int, num_words: int = 120) -> str:
    """Made-up English that passes the rules; another seed shares no long run of words."""
    words = random.Random(seed).choices([*VOCABULARY, "the", "of", "and", "with"], k=num_words)
    lines = [" ".join(words[start : start + 12]) for start in range(0, num_words, 12)]
    return "The text of this and that:\n" + "\n".join(lines) + "."


def document(number: int, *, unit: str = "unit", curated: bool = False, text: str | None = None) -> Document:
    return Document(
        id=f"d{number:05d}", text=prose(number) if text is None else text, source="made", unit=unit, curated=curated
    )


def write_corpus(path: Path, documents: list[Document]) -> None:
    fields = {"id", "text", "source", "unit", "curated"}
    path.write_text("".join(json.dumps(each.model_dump(include=fields)) + "\n" for each in documents))


class KilledError(Exception):
    """Stands for kill -9 between two calls."""


def prepare_here(config: DataConfig, store: Store, *, kill_after: int | None = None) -> DataStages:
    """All folders of a preparation, made in this process by the calls that Ray would make.

    Raises KilledError after so many calls.
    """
    stages, num_calls = data_stages(config), 0
    for stage, make in stage_calls(config, stages):
        with store.claim(**stage.reference.model_dump()) as folder:
            if folder.complete:
                continue
            reads = {read.fingerprint: store.open(read.kind, read.fingerprint) for read in stage.reads}
            for function, *arguments in chain.from_iterable(make(reads, folder)):
                if num_calls == kill_after:
                    raise KilledError
                function(*arguments)
                num_calls += 1
            stage.commit(folder)
    return stages


@pytest.fixture
def make_folder(store: Store) -> Iterator[MakeFolder]:
    """Opens a folder of the given kind, a new one for each call."""
    with ExitStack() as stack:
        marks = iter(range(1_000_000))
        yield lambda kind: stack.enter_context(store.claim(kind, "test", f"{next(marks):016x}"))


@pytest.fixture
def corpus(tmp_path: Path) -> DataConfig:
    """Forty documents of eight units in four files; one exact and one near duplicate, and one too short."""
    documents = [document(number, unit=f"unit{number % 8}", curated=number % 3 == 0) for number in range(40)]
    documents.append(document(90, unit="unit3", text=documents[5].text.replace("\n", " \n").replace(".", "!")))
    documents.append(document(91, unit="unit4", text=documents[6].text + " One more word."))
    documents.append(document(92, text="Short."))
    for part in range(4):
        write_corpus(tmp_path / f"part{part}.jsonl", documents[part::4])
    return DataConfig(
        source=SourceConfig(name="local_files", paths=(str(tmp_path / "*.jsonl"),), num_shards=2),
        quality=QualityConfig(alpha=0.5, num_features_log2=10),
        split=SplitConfig(heldout_fraction=0.2),
        tokenizer=TokenizerConfig(kind="bpe", vocab_size=320, train_megabytes=1.0),
        sequence_length=32,
    )
