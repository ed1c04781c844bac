"""The training side as token ids, shard by shard, and the order in which an epoch takes its documents.

Each shard is encoded by itself; then the order is decided over all of them and the rows are written. The order is a
fixed shuffle by the documents' ids, in which a kind of text stands as often as its weight asks.
"""

# D documents of the training side, P documents of an epoch, repeats counted
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glam.config import DataConfig
from glam.data.arrays import load_array, save_array
from glam.data.draws import draw
from glam.data.selection import side_name
from glam.data.shards import FACTS, KindShare, ShardsFacts, Stream, token_dtype, write_shards
from glam.data.tokenizer import END_OF_TEXT_ID, Tokenizer
from glam.records import Document
from glam.store import Folder

ENCODED = np.dtype([("draw", "<u8"), ("start", "<i8"), ("num_tokens", "<i8"), ("source", "<u4")])
"""A document among its shard's tokens, end-of-text included."""
ENCODED_AT_ONCE = 512
REPEAT = 0x9E3779B97F4A7C15
"""Added to a draw for each repeat, so that one is not beside the other."""


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
    save_array(folder, _index(shard), np.concatenate(parts))


def pack(config: DataConfig, weights: Mapping[str, float] | None, vocab_size: int, folder: Folder) -> ShardsFacts:
    """Writes the rows of an epoch and takes the encoded shards back. `weights` by kind; None: as much as there is."""
    shards = range(config.source.num_shards)
    if not (folder.path / FACTS).exists():
        index, shard_D, names = _read_index(folder, config.source.num_shards)
        order, kinds = epoch_order(index, names, weights, max_repeats=config.max_repeats)
        mapped = [_mapped(folder.path / _tokens(shard), token_dtype(vocab_size)) for shard in shards]

        def documents() -> Iterator[tuple[NDArray, int]]:
            for place in order.tolist():
                row = index[place]
                start = int(row["start"])
                yield mapped[shard_D[place]][start : start + int(row["num_tokens"])], int(row["source"])

        stream = Stream(documents(), tuple(names), kinds)
        write_shards(stream, folder, sequence_length=config.sequence_length, vocab_size=vocab_size)
    for shard in shards:
        for name in (_tokens(shard), f"{_index(shard)}.npy", _sources(shard)):
            folder.remove(name)
    return ShardsFacts.model_validate(folder.read_json(FACTS))


def epoch_order(
    index_D: NDArray, names: list[str], weights: Mapping[str, float] | None, *, max_repeats: int
) -> tuple[NDArray[np.int64], tuple[KindShare, ...]]:
    """([P] documents in the order of an epoch, what each kind gives to it).

    An epoch has as many tokens as the training side. A kind with more text than its weight asks for gives the first
    of a fixed shuffle, one with less repeats itself, at most `max_repeats` times over. Weights of kinds without text
    go to the others.
    """
    shuffled = np.argsort(index_D["draw"], kind="stable")
    present = [name for code, name in enumerate(names) if (index_D["source"] == code).any()]
    wanted = None if weights is None else {name: weights.get(name, 0.0) for name in present}
    if wanted is not None and not sum(wanted.values()) > 0:
        raise ValueError(f"no kind of text that is there ({', '.join(present)}) has a weight: {dict(weights or {})}")
    total = int(index_D["num_tokens"].sum())
    taken, keys, kinds = [], [], []
    for code, name in enumerate(names):
        if name not in present:
            continue
        own = shuffled[index_D["source"][shuffled] == code]
        have = int(index_D["num_tokens"][own].sum())
        share = have / total if wanted is None else wanted[name] / sum(wanted.values())
        target = min(round(share * total), max_repeats * have)
        ends = np.cumsum(index_D["num_tokens"][own])
        given = 0
        for repeat in range(-(-target // have)):
            part = own[: int(np.searchsorted(ends, target - repeat * have, side="left")) + 1]
            taken.append(part)
            keys.append(index_D["draw"][part] + np.uint64(repeat * REPEAT % 2**64))
            given += int(index_D["num_tokens"][part].sum())
        kinds.append(KindShare(name=name, weight=share, num_tokens=have, tokens_of_epoch=given))
    order = np.concatenate(taken)[np.argsort(np.concatenate(keys), kind="stable")]
    return order, tuple(kinds)


def _read_index(folder: Folder, num_shards: int) -> tuple[NDArray, NDArray[np.int64], list[str]]:
    """(documents of all shards, the shard of each, names of their sources in order)."""
    own_names = [folder.read_json(_sources(shard)) for shard in range(num_shards)]
    names = sorted({name for own in own_names for name in own})
    parts, shard_D = [np.empty(0, ENCODED)], [np.empty(0, np.int64)]
    for shard, own in enumerate(own_names):
        part = load_array(folder, _index(shard))
        codes = np.array([names.index(name) for name in own], dtype=np.uint32)
        part["source"] = codes[part["source"]] if len(part) else part["source"]
        parts.append(part)
        shard_D.append(np.full(len(part), shard))
    return np.concatenate(parts), np.concatenate(shard_D), names


def _mapped(path: Path, dtype: np.dtype) -> NDArray:
    return np.memmap(path, dtype, "r") if path.stat().st_size else np.empty(0, dtype)  # nothing cannot be mapped


def _tokens(shard: int) -> str:
    return f"encoded-{shard:05d}.bin"


def _index(shard: int) -> str:
    return f"encoded-{shard:05d}"


def _sources(shard: int) -> str:
    return f"encoded-{shard:05d}.json"
