"""Texts that models are judged by, given as files: an example a line of JSON, whatever its fields."""

import glob
import json
from collections.abc import Iterator
from pathlib import Path

from glam.config import OverlapConfig
from glam.store.identity import file_sha256

SPLITS = frozenset({"eval", "test", "train", "dev", "validation", "val"})


def identity(config: OverlapConfig) -> dict[str, object]:
    """What decides the overlap; files by task and content. Raises ValueError for a pattern that matches none."""
    return {
        "ngram": config.ngram,
        "policy": config.policy,
        "benchmarks": sorted([task, file_sha256(path)] for task, path in _files(config)),
    }


def examples(config: OverlapConfig) -> dict[str, list[str]]:
    """The text of every example by task. Raises ValueError naming file and line for what is no JSON."""
    found: dict[str, list[str]] = {}
    for task, path in _files(config):
        found.setdefault(task, []).extend(_examples(path))
    return found


def _files(config: OverlapConfig) -> list[tuple[str, Path]]:
    """(task, file): a task is called by its file, or by its folder where the file is named after a split."""
    files: set[Path] = set()
    for pattern in config.benchmarks:
        matches = {Path(match).resolve() for match in glob.glob(str(Path(pattern).expanduser()), recursive=True)}
        if not matches:
            raise ValueError(f"{pattern!r} in data.overlap.benchmarks matches no file")
        files |= matches
    return sorted((path.parent.name if path.stem in SPLITS else path.stem, path) for path in files)


def _examples(path: Path) -> Iterator[str]:
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    example = json.loads(line)
                except ValueError as error:
                    raise ValueError(f"{path} line {number} is no JSON ({error}); data.overlap.benchmarks") from error
                yield "\n".join(_strings(example))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)
