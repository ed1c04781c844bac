"""The documents that every contestant gets: of the source `python_docs`, or of a folder with a file a kind."""

import os
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from glam.config import KindConfig, SourceConfig
from glam.data.draws import uniform
from glam.data.mixture import FIRST_WORDS
from glam.data.readers import read_unit
from glam.data.sources import plan_shards
from glam.records import Document

MEGABYTES = 12.0
RULED_MEGABYTES = 1.5
"""Of which the speed of rules is measured: a peer takes ten seconds for each."""
FIRST_PASS_MEGABYTES = 36.0
"""Of which no text is ruled on twice."""
PIECE_CHARACTERS = 20_000
"""Longer documents are cut: a whole book is no web page."""
TEST_SHARE = 0.3
PLANTED_EVERY = 10
CHANGED_WORDS = 200
"""One word in so many of a planted near duplicate is another one."""


def use_one_core() -> None:
    """This process and what it starts: both sides are measured on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def documents(folder: str | None, most: float = MEGABYTES) -> list[Document]:
    """In a fixed shuffle, about so many megabytes; files of a folder that are no kind of GLaM's are left out."""
    if folder is None:
        source = SourceConfig(max_megabytes=most, num_shards=1)
    else:
        names = {path.name.split(".")[0] for path in Path(folder).glob("*.jsonl")}
        others = sorted(name for name in names if name.split("_")[0] not in FIRST_WORDS)
        left_out = tuple(KindConfig(name=name, weight=0.0) for name in others)
        source = SourceConfig(name="local_mixture", paths=(folder,), kinds=left_out, num_shards=1)
    (units,) = plan_shards(source)
    pieces = [piece for unit in units for document in _texts(read_unit(unit)) for piece in _cut(document)]
    random.Random(0).shuffle(pieces)
    return first_megabytes(pieces, most)


def first_megabytes(found: list[Document], most: float) -> list[Document]:
    """The first documents of the shuffle, as many as have about so much text."""
    taken: list[Document] = []
    size = 0
    for each in found:
        if size >= most * 1e6:
            break
        size += len(each.text.encode())
        taken.append(each)
    return taken


def ruled_slices(found: list[Document]) -> list[list[Document]]:
    """`RULED_MEGABYTES` of text after `RULED_MEGABYTES`, as long as there is so much."""
    slices: list[list[Document]] = []
    while megabytes(found) >= RULED_MEGABYTES:
        slices.append(first_megabytes(found, RULED_MEGABYTES))
        found = found[len(slices[-1]) :]
    return slices


def megabytes(found: Iterable[Document]) -> float:
    """Of their text in UTF-8."""
    return sum(len(each.text.encode()) for each in found) / 1e6


def with_planted_duplicates(found: list[Document]) -> tuple[list[Document], dict[int, int]]:
    """(documents, place of each planted near duplicate by that of its original)."""
    drawn = random.Random(0)
    long_enough = [place for place, each in enumerate(found) if len(each.text.split()) >= CHANGED_WORDS // 2]
    more, pairs = list(found), {}
    for place in islice(long_enough, 0, None, PLANTED_EVERY):
        words = found[place].text.split(" ")
        for _ in range(max(1, len(words) // CHANGED_WORDS)):
            words[drawn.randrange(len(words))] = "changed"
        pairs[place] = len(more)
        more.append(found[place].model_copy(update={"id": f"planted {place}", "text": " ".join(words)}))
    return more, pairs


def is_test(document: Document) -> bool:
    """Whether a classifier is tested on it, not trained."""
    return uniform(f"bench {document.id}") < TEST_SHARE


def _texts(read: Iterable[object]) -> Iterator[Document]:
    for each in read:
        if isinstance(each, Document):
            yield each


def _cut(document: Document) -> Iterator[Document]:
    for start in range(0, len(document.text), PIECE_CHARACTERS):
        text = document.text[start : start + PIECE_CHARACTERS]
        yield document.model_copy(update={"id": f"{document.id}:{start}", "text": text})
