"""What a task asks: its items, and those that demonstrations are drawn from."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from glam.config import EvalConfig
from glam.evaluation.benchmark import Benchmark, BenchmarkError, Row, Stamp, foreseeing_no_shape
from glam.evaluation.remembered import remembered
from glam.evaluation.task import AskingTask, Item, draw_key, drawn
from glam.records import Document

DEMONSTRATION_POOL = 64
"""Items made of held-out text beyond those asked, to draw demonstrations from."""
DOCUMENTS_PER_EXAMPLE = 100
"""Held-out documents looked at for each item that is asked."""


@dataclass(frozen=True)
class Questions:
    """The items of a task in the order in which they are asked."""

    asked: tuple[Item, ...]
    pool: tuple[Item, ...]


def from_documents(task: AskingTask, documents: Sequence[Document], judged: EvalConfig) -> Questions:
    """Questions about held-out text, the same ones for a seed on every machine."""
    assert not isinstance(task.source, Benchmark), f"{task.name} asks about the files of a benchmark"
    limit, seed = judged.max_examples, judged.seed
    if limit is None:
        every = tuple(map(task.item, task.source(drawn(documents, seed), seed)))
        return Questions(every, every)
    looked_at = drawn(documents, seed)[: limit * DOCUMENTS_PER_EXAMPLE]
    pool = tuple(map(task.item, islice(task.source(looked_at, seed), limit + DEMONSTRATION_POOL)))
    return Questions(pool[:limit], pool)


def from_files(task: AskingTask, folder: Path, judged: EvalConfig) -> Questions:
    """Questions of a benchmark's files, drawn by seed where there are more than `max_examples`.

    In the harness's wording they are its too: the first of the file. Raises BenchmarkError naming task, file, row and
    what is wrong with it.
    """
    assert isinstance(task.source, Benchmark), f"{task.name} asks about held-out text"
    stamp = task.source.stamp(folder, task.name)
    asked = _all_of(task, folder, stamp)
    if judged.max_examples is not None and judged.prompts == "paper":
        asked = tuple(sorted(asked, key=lambda item: draw_key(judged.seed, "question", item.id)))
    return Questions(asked[: judged.max_examples], _pool_of(task, folder, stamp))


class Identity(NamedTuple):
    """SHA-256 of wording, choices and answers as the model will see them."""

    asked: str
    pool: str
    """Of what demonstrations are drawn from."""


def identity(task: AskingTask, folder: Path, judged: EvalConfig) -> Identity:
    """Of everything that `from_files` gives. Raises BenchmarkError as it does."""
    assert isinstance(task.source, Benchmark), f"{task.name} asks about held-out text"
    return _identity(task, folder, judged.model_dump_json(), task.source.stamp(folder, task.name))


@lru_cache(maxsize=4096)
def _identity(task: AskingTask, folder: Path, judged: str, stamp: Stamp) -> Identity:
    def make() -> list[str]:
        questions = from_files(task, folder, EvalConfig.model_validate_json(judged))
        return [_sha256(questions.asked), _sha256(questions.pool)]

    # The code of another room's task is not in the key.
    ours = task.item.__module__.startswith(f"{__package__}.")
    return Identity(*(remembered([task.name, judged, stamp], make) if ours else make()))


def _sha256(items: Iterable[Item]) -> str:
    mark = hashlib.sha256()
    for item in items:
        mark.update(json.dumps(asdict(item), ensure_ascii=True, sort_keys=True).encode() + b"\n")
    return mark.hexdigest()


def count(task: AskingTask, folder: Path) -> tuple[int, int]:
    """How many questions and possible demonstrations a benchmark's files hold, of which nothing is kept.

    Raises BenchmarkError as `from_files`.
    """
    assert isinstance(task.source, Benchmark), f"{task.name} asks about held-out text"
    asked = sum(1 for _ in _items(task, task.source.asked(folder, task.name)))
    return asked, sum(1 for _ in _items(task, task.source.pooled(folder, task.name)))


def benchmarks_folder(task: str, judged: EvalConfig) -> Path:
    """Where the files of benchmarks lie. Raises BenchmarkError where it is not said."""
    if judged.benchmarks is None:
        raise BenchmarkError(
            f"{task}: asks about the files of a benchmark, and no folder of them is given (--data DIR, or "
            "--set eval.benchmarks=DIR)"
        )
    return Path(judged.benchmarks).expanduser().absolute()


@lru_cache(maxsize=2)
def _all_of(task: AskingTask, folder: Path, _stamp: Stamp) -> tuple[Item, ...]:
    assert isinstance(task.source, Benchmark), "its callers have looked"
    return tuple(_items(task, task.source.asked(folder, task.name)))


@lru_cache(maxsize=2)
def _pool_of(task: AskingTask, folder: Path, _stamp: Stamp) -> tuple[Item, ...]:
    assert isinstance(task.source, Benchmark), "its callers have looked"
    return tuple(_items(task, task.source.pooled(folder, task.name)))


def _items(task: AskingTask, rows: Iterable[Row]) -> Iterator[Item]:
    for row in rows:
        with foreseeing_no_shape(row["where"]):
            item = task.item(row)
        yield item
