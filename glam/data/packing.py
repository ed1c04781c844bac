"""The training side as token ids, shard by shard, and the rows of an epoch.

Each shard is encoded by itself; then the documents of all are taken in the order of an epoch (see `epoch`).
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glam.config import DataConfig
from glam.data.arrays import load_array, save_array
from glam.data.draws import draw
from glam.data.epoch import ENCODED, EncodedIndex, plan_epoch
from glam.data.selection import side_name
from glam.data.shards import FACTS, ShardsFacts, Stream, token_dtype, write_shards
from glam.data.tokenizer import END_OF_TEXT_ID, Tokenizer
from glam.records import Document
from glam.store import Folder

ENCODED_AT_ONCE = 512


def encode_shard(shard: int, selected: Folder, tokenizer: Tokenizer, folder: Folder) -> None:
    """Writes the tokens of one shard's training side, unless they were written already."""
    if (folder.path / f"{_index(shard)}.npy").exists() or (folder.path / FACTS).exists():
        return
    dtype = token_dtype(tokenizer.vocab_size)
    sources: dict[str, int] = {}
    parts = [np.empty(0, ENCODED)]
    start = 0
    remaining = selected.stream(side_name("train", shard), Document)
    with folder.create(_tokens(shard)) as out:
        while batch := list(islice(remaining, ENCODED_AT_ONCE)):
            part = np.empty(len(batch), ENCODED)
            encoded = tokenizer.encode_batch([document.text for document in batch])
            for row, document, ids in zip(part, batch, encoded, strict=True):
                np.array([END_OF_TEXT_ID, *ids], dtype=dtype).tofile(out)
                source = sources.setdefault(document.source, len(sources))
                row["draw"], row["start"], row["num_tokens"] = draw(document.id), start, len(ids) + 1
                row["source"] = source
                start += len(ids) + 1
            parts.append(part)
    folder.write_json(_sources(shard), list(sources))
    index = np.concatenate(parts)
    save_array(folder, _index(shard), index[np.argsort(index["draw"], kind="stable")])


def pack(config: DataConfig, weights: Mapping[str, float] | None, vocab_size: int, folder: Folder) -> ShardsFacts:
    """Writes the rows of an epoch and takes the encoded shards back. `weights` by kind; None: as much as there is."""
    shards = range(config.source.num_shards)
    if not (folder.path / FACTS).exists():
        indexes = [load_array(folder, _index(shard), mapped=True) for shard in shards]
        index = EncodedIndex(indexes, [folder.read_json(_sources(shard)) for shard in shards])
        epoch = plan_epoch(index, weights, max_repeats=config.max_repeats)
        mapped = [_mapped(folder.path / _tokens(shard), token_dtype(vocab_size)) for shard in shards]

        def documents() -> Iterator[tuple[NDArray, int]]:
            for located in epoch.documents():
                for _, start, num_tokens, source, shard in located.tolist():
                    yield mapped[shard][start : start + num_tokens], source

        stream = Stream(documents(), epoch.num_documents, index.names, epoch.kinds)
        write_shards(stream, folder, sequence_length=config.sequence_length, vocab_size=vocab_size)
    for shard in shards:
        for name in (_tokens(shard), f"{_index(shard)}.npy", _sources(shard)):
            folder.remove(name)
    return ShardsFacts.model_validate(folder.read_json(FACTS))


def _mapped(path: Path, dtype: np.dtype) -> NDArray:
    return np.memmap(path, dtype, "r") if path.stat().st_size else np.empty(0, dtype)  # nothing cannot be mapped


def _tokens(shard: int) -> str:
    return f"encoded-{shard:05d}.bin"


def _index(shard: int) -> str:
    return f"encoded-{shard:05d}"


def _sources(shard: int) -> str:
    return f"encoded-{shard:05d}.json"
