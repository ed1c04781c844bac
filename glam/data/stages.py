"""The stages of prepare as plain functions: each reads complete folders and fills one open folder.

They commit nothing and know no Ray; `workers/prepare.py` runs them. Extraction and selection are made
of shard tasks and one function that sums up: see `extract` and `selection`.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from glam.config import DataConfig
from glam.data import heldout, quality, shards
from glam.data.draws import draw
from glam.data.extract import extract_shard, finish_extraction, read_shard
from glam.data.selection import HELDOUT, TRAIN, measure_shard, select
from glam.data.tokenizer import FILE, Tokenizer, train_tokenizer
from glam.records import Document, Record
from glam.store import Folder

__all__ = [
    "extract_shard",
    "finish_extraction",
    "make_classifier",
    "make_heldout",
    "make_shards",
    "make_tokenizer",
    "measure_shard",
    "select",
]

ENCODED_AT_ONCE = 2048


class TokenizerFacts(Record):
    """`facts.json` of a tokenizer."""

    vocab_size: int
    num_unused: int
    """Ids that stand for nothing because the corpus was too small."""
    num_documents: int
    trained_bytes: int


def make_classifier(config: DataConfig, extracted: Folder, folder: Folder) -> quality.ClassifierFacts:
    """Trains the quality classifier on all extracted documents."""
    documents = [document for shard in range(config.source.num_shards) for document in read_shard(extracted, shard)]
    return quality.train_classifier(config.quality, documents, folder)


def make_tokenizer(config: DataConfig, selected: Folder, folder: Folder) -> TokenizerFacts:
    """Trains the vocabulary on `train_megabytes` of the training side, documents in a fixed shuffle."""
    texts: list[str] = []
    size = 0
    for document in _shuffled(selected.read(TRAIN, Document)):
        if size >= config.tokenizer.train_megabytes * 1e6:
            break
        texts.append(document.text)
        size += len(document.text.encode())
    tokenizer, num_unused = train_tokenizer(texts, config.tokenizer)
    folder.write_text(FILE, tokenizer.to_json())
    facts = TokenizerFacts(
        vocab_size=tokenizer.vocab_size, num_unused=num_unused, num_documents=len(texts), trained_bytes=size
    )
    folder.write_json("facts.json", facts.model_dump(mode="json"))
    return facts


def make_heldout(selected: Folder, tokenizer: Folder, folder: Folder) -> heldout.HeldOutFacts:
    """Tokenises the held-out side."""
    return heldout.write_heldout(selected.read(HELDOUT, Document), Tokenizer.load(tokenizer.path), folder)


def make_shards(config: DataConfig, selected: Folder, tokenizer: Folder, folder: Folder) -> shards.ShardsFacts:
    """Tokenises and packs the training side, documents in a fixed shuffle."""
    vocabulary = Tokenizer.load(tokenizer.path)
    return shards.write_shards(
        _encoded(_shuffled(selected.read(TRAIN, Document)), vocabulary),
        folder,
        sequence_length=config.sequence_length,
        vocab_size=vocabulary.vocab_size,
    )


def _shuffled(documents: Sequence[Document]) -> list[Document]:
    return sorted(documents, key=lambda document: (draw(document.id), document.id))


def _encoded(documents: Sequence[Document], tokenizer: Tokenizer) -> Iterator[list[int]]:
    remaining = iter(documents)
    while batch := [document.text for document in islice(remaining, ENCODED_AT_ONCE)]:
        yield from tokenizer.encode_batch(batch)
