"""The shard tasks of prepare in several processes: how much faster two are than one, and what a process holds."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from glam.bench.contest import peak_bytes
from glam.bench.data.corpus import documents, first_megabytes
from glam.config import DataConfig, QualityConfig, SourceConfig
from glam.data.extract import extract_shard
from glam.data.quality import train_classifier
from glam.data.selection import measure_shard
from glam.data.sources import plan_shards
from glam.recipes import WEB_FILTERS
from glam.store import Folder, FolderReference

NUM_SHARDS = 8
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


def _make_shard(config: DataConfig, shard: int, units: tuple, classifier: Folder, place: str) -> int:
    extracted, selected = _folder(Path(place) / "extracted"), _folder(Path(place) / "selected")
    extract_shard(config.filters, shard, units, extracted)
    measure_shard(config, shard, extracted, classifier, selected)
    return peak_bytes()


def _folder(path: Path) -> Folder:
    path.mkdir(exist_ok=True)
    return Folder(path, FolderReference(kind="corpora", label="bench", fingerprint="0" * 16))
