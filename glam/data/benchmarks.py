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
    files: dict[Path, Path] = {}
    for pattern in config.benchmarks:
        matches = [Path(match).absolute() for match in glob.glob(str(Path(pattern).expanduser()), recursive=True)]
        matches = sorted(path for path in matches if path.is_file())
        if not matches:
            raise ValueError(f"{pattern!r} in data.overlap.benchmarks matches no file")
        for path in matches:
            files.setdefault(path.resolve(), path)  # a link's target may have another name
    return sorted((path.parent.name if path.stem in SPLITS else path.stem, path) for path in files.values())


def _examples(path: Path) -> Iterator[str]:
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    text = "\n".join(_strings(json.loads(line.decode())))
                except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or nested too deep
                    raise ValueError(f"{path} line {number} is no JSON ({error}); data.overlap.benchmarks") from error
                yield text


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)
