"""The stages of prepare as plain functions: each reads complete folders and fills one open folder.

They commit nothing and know no Ray; `workers/prepare.py` runs them. Extraction, selection and packing are made
of shard tasks and of functions that sum up: see `extract`, `selection` and `packing`.
"""

import heapq

from glam.config import DataConfig
from glam.data import heldout, quality, shards
from glam.data.decisions import decide, match_partition
from glam.data.draws import draw
from glam.data.extract import extract_shard, extracted_documents, finish_extraction
from glam.data.mixture import mixture_weights
from glam.data.packing import encode_shard, pack
from glam.data.selection import (
    carry_out,
    finish_selection,
    heldout_documents,
    index_benchmarks,
    index_judged_text,
    measure_guests,
    measure_shard,
    search_shard,
    training_documents,
)
from glam.data.tokenizer import FILE, Tokenizer, train_tokenizer
from glam.records import Record
from glam.store import Folder

__all__ = [
    "carry_out",
    "decide",
    "encode_documents",
    "extract_shard",
    "finish_extraction",
    "finish_selection",
    "index_benchmarks",
    "index_judged_text",
    "make_classifier",
    "make_heldout",
    "make_tokenizer",
    "match_partition",
    "measure_guests",
    "measure_shard",
    "pack_rows",
    "search_shard",
]


class TokenizerFacts(Record):
    """`facts.json` of a tokenizer."""

    vocab_size: int
    num_unused: int
    """Ids that stand for nothing because the corpus was too small."""
    num_documents: int
    trained_bytes: int


def make_classifier(config: DataConfig, extracted: Folder, folder: Folder) -> quality.ClassifierFacts:
    """Trains the quality classifier on the extracted documents."""
    return quality.train_classifier(config.quality, extracted_documents(config, extracted), folder)


def make_tokenizer(config: DataConfig, selected: Folder, folder: Folder) -> TokenizerFacts:
    """Trains the vocabulary on `train_megabytes` of the training side, the first documents of a fixed shuffle."""
    texts = _sample(config, selected)
    tokenizer, num_unused = train_tokenizer(texts, config.tokenizer)
    folder.write_text(FILE, tokenizer.to_json())
    facts = TokenizerFacts(
        vocab_size=tokenizer.vocab_size,
        num_unused=num_unused,
        num_documents=len(texts),
        trained_bytes=sum(len(text.encode()) for text in texts),
    )
    folder.write_json("facts.json", facts.model_dump(mode="json"))
    return facts


def make_heldout(config: DataConfig, selected: Folder, tokenizer: Folder, folder: Folder) -> heldout.HeldOutFacts:
    """Tokenises the held-out side."""
    return heldout.write_heldout(heldout_documents(config, selected), Tokenizer.load(tokenizer.path), folder)


def encode_documents(shard: int, selected: Folder, tokenizer: Folder, folder: Folder) -> None:
    """Tokenises one shard of the training side."""
    encode_shard(shard, selected, Tokenizer.load(tokenizer.path), folder)


def pack_rows(config: DataConfig, tokenizer: Folder, folder: Folder) -> shards.ShardsFacts:
    """Packs the training side, documents in a fixed shuffle, kinds by their weights."""
    return pack(config, mixture_weights(config.source), Tokenizer.load(tokenizer.path).vocab_size, folder)


def _sample(config: DataConfig, selected: Folder) -> list[str]:
    """The first texts of the fixed shuffle until `train_megabytes` are reached; never much more of them in memory."""
    wanted, size = config.tokenizer.train_megabytes * 1e6, 0
    heap: list[tuple[int, str, str]] = []
    for document in training_documents(config, selected):
        heapq.heappush(heap, (-draw(document.id), document.id, document.text))
        size += len(document.text.encode())
        while size - len(heap[0][2].encode()) >= wanted:
            size -= len(heapq.heappop(heap)[2].encode())
    return [text for *_, text in sorted(heap, key=lambda entry: (-entry[0], entry[1]))]
