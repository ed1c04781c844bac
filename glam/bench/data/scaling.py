"""Prepare at size: how much faster two processes make the shards than one, and what a process holds.

What is decided of all documents is tried on ledgers that were made up, for no text of that size is at hand.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from glam.bench.data.corpus import documents, first_megabytes
from glam.config import DataConfig, QualityConfig, SourceConfig
from glam.data.arrays import save_array
from glam.data.decisions import decide, match_partition
from glam.data.dedup import bands
from glam.data.epoch import ENCODED, EncodedIndex, plan_epoch
from glam.data.extract import extract_shard
from glam.data.ledger import ROW, save_ledger
from glam.data.quality import train_classifier
from glam.data.selection import measure_shard
from glam.data.sources import plan_shards
from glam.memory import STATUS, peak_bytes
from glam.recipes import WEB_FILTERS
from glam.store import Folder, FolderReference

NUM_SHARDS = 8
DOCUMENTS_OF_A_SHARD = 25_000
COPIED = 0.2
"""Share of the documents that are near duplicates of another."""
SAMPLE_SECONDS = 0.02
Facts = dict[str, float]


def shards(folder: str | None, num_workers: int, megabytes: float, times: int = 1) -> Callable[[], Facts]:
    """Extraction and measuring of `megabytes` of documents, `times` over with other words in them."""
    os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    made = tempfile.TemporaryDirectory()
    found = first_megabytes(documents(folder), megabytes)
    for copy in range(times):
        for part in range(NUM_SHARDS):
            changed = (
                each.model_copy(update={"id": f"{each.id}-{copy}", "text": each.text.replace(" the ", f" the{copy} ")})
                for each in found[part::NUM_SHARDS]
            )
            lines = (each.model_dump_json(include={"id", "text", "curated"}) + "\n" for each in changed)
            with open(f"{made.name}/part-{copy}-{part}.jsonl", "w", encoding="utf-8") as out:
                out.writelines(lines)
    source = SourceConfig(name="local_files", paths=(f"{made.name}/*.jsonl",), num_shards=NUM_SHARDS)
    config = DataConfig(source=source, filters=WEB_FILTERS, quality=QualityConfig())
    classifier = _folder(Path(made.name) / "classifier")
    train_classifier(config.quality, found, classifier)
    pool = ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"))

    def call() -> Facts:
        with tempfile.TemporaryDirectory(dir=made.name) as place:
            plan = list(enumerate(plan_shards(config.source)))
            tasks = [pool.submit(_make_shard, config, shard, units, classifier, place) for shard, units in plan]
            return {"worker_megabytes": max(task.result() for task in tasks) / 1e6}

    return call


def decisions(num_shards: int) -> Callable[[], Facts]:
    """All that is decided of the documents of so many shards, from matches to the order of an epoch."""
    made = tempfile.TemporaryDirectory()
    folder = _folder(Path(made.name) / "selected")
    config = DataConfig(source=SourceConfig(num_shards=num_shards))
    num_documents = num_shards * DOCUMENTS_OF_A_SHARD
    for shard in range(num_shards):
        _make_up_ledger(config, shard, num_documents, folder)

    def call() -> Facts:
        folder = _folder(Path(made.name) / "selected")
        with _peak_of_own_memory() as found:
            for partition in range(num_shards):
                match_partition(config, partition, folder)
            decide(config, folder, None, folder)
            parts = [np.load(folder.path / f"encoded-{shard:05d}.npy", mmap_mode="r") for shard in range(num_shards)]
            epoch = plan_epoch(EncodedIndex(parts, [["made up"]] * num_shards), None, max_repeats=1)
            assert sum(map(len, epoch.documents())) == num_documents
        return found

    return call


def _make_up_ledger(config: DataConfig, shard: int, num_documents: int, folder: Folder) -> None:
    drawn = np.random.default_rng(shard)
    count = DOCUMENTS_OF_A_SHARD
    rows = np.zeros(count, ROW)
    for field in ("id_key", "text_key"):
        rows[field] = drawn.integers(0, 1 << 64, count, np.uint64)
    rows["unit_key"] = drawn.integers(0, num_documents // 10, count, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    rows["num_bytes"], rows["score"], rows["good"] = 4000, np.nan, True
    num_bands, _ = bands(config.dedup)
    band_DB = drawn.integers(0, 1 << 64, (count, num_bands), np.uint64)
    copies = drawn.random(count) < COPIED
    band_DB[copies, 0] = drawn.integers(0, num_documents // 4, int(copies.sum()))
    place_D = np.arange(count)
    keys = {
        "id": (rows["id_key"], place_D),
        "text": (rows["text_key"], place_D),
        "band": (band_DB.ravel() * np.uint64(0x9E3779B97F4A7C15), np.repeat(place_D, num_bands)),
    }
    save_ledger(folder, shard, rows, [b"%05d-%09d" % (shard, place) for place in range(count)], ["made up"], keys)
    index = np.zeros(count, ENCODED)
    index["draw"], index["num_tokens"] = np.sort(rows["id_key"]), 1000
    save_array(folder, f"encoded-{shard:05d}", index)


@contextmanager
def _peak_of_own_memory() -> Iterator[Facts]:
    """The most memory that is this process's own: pages of mapped files, which the system takes back, left out."""
    found, ended = {"own_megabytes": 0.0}, threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon:")]
            found["own_megabytes"] = max(found["own_megabytes"], int(line.split()[1]) * 1024 / 1e6)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _make_shard(config: DataConfig, shard: int, units: tuple, classifier: Folder, place: str) -> int:
    extracted, selected = _folder(Path(place) / "extracted"), _folder(Path(place) / "selected")
    extract_shard(config.filters, shard, units, extracted)
    measure_shard(config, shard, extracted, classifier, selected)
    return peak_bytes()


def _folder(path: Path) -> Folder:
    path.mkdir(exist_ok=True)
    return Folder(path, FolderReference(kind="corpora", label="bench", fingerprint="0" * 16))
