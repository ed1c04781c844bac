"""The source `local_files`: files of the user, known by their content alone.

Names and places of files appear in no document and no fingerprint, so a copied or renamed corpus is
the same corpus.
"""

import glob
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from glam.config import SourceConfig
from glam.data.units import FileKind, SourceFile, Unit
from glam.store.identity import file_sha256

FORMATS: dict[str, FileKind] = {
    ".txt": "text",
    ".md": "text",
    ".rst": "text",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl_gzip",
    ".json.gz": "jsonl_gzip",
    ".jsonl.zst": "jsonl_zstd",
    ".json.zst": "jsonl_zstd",
    ".parquet": "parquet",
    ".html": "html",
    ".htm": "html",
    ".warc": "warc",
    ".warc.gz": "warc_gzip",
}
"""How files are read, by the end of their names."""
TEXT_SHARE: dict[FileKind, float] = {"jsonl_gzip": 3, "jsonl_zstd": 3, "parquet": 2, "html": 0.2, "warc": 0.1}
"""Text to expect in a byte of a file, where it is not about 1."""
EXTRACTOR = "resiliparse"
"""Decides what text a page of HTML has; so its version is part of the identity."""


def identity(config: SourceConfig) -> dict[str, object]:
    """Content hashes of all matched files. Raises ValueError for a pattern that matches none."""
    found = [(file_kind(path), path) for path in matched_files(config)]
    facts: dict[str, object] = {
        "contents": sorted(f"{kind}-{file_sha256(path)}" for kind, path in found),
        "max_megabytes": config.max_megabytes,
    }
    if {"html", "warc", "warc_gzip"} & {kind for kind, _ in found}:
        facts[EXTRACTOR] = _extractor_version()
    return facts


def units(config: SourceConfig) -> list[Unit]:
    """One unit a file, named by its content. Raises ValueError for a pattern that matches none."""
    seen: Counter[str] = Counter()
    found = []
    for path in matched_files(config):
        sha256 = file_sha256(path)
        kind = file_kind(path)
        key = f"{kind}-{sha256[:16]}"
        seen[key] += 1
        name = key if seen[key] == 1 else f"{key}-{seen[key]}"  # a copy is a document too, for deduplication to find
        size = round(path.stat().st_size * TEXT_SHARE.get(kind, 1))
        found.append(Unit(name, size, (SourceFile(kind, path, name, sha256),)))
    return sorted(found, key=lambda unit: unit.name)


def matched_files(config: SourceConfig) -> list[Path]:
    """Files of `config.paths` (files, directories or globs) that we can read, each once.

    Raises ValueError naming the pattern that matches none.
    """
    if not config.paths:
        raise ValueError("source local_files needs data.source.paths: files, directories or globs")
    found: dict[Path, Path] = {}
    for pattern in config.paths:
        matches = [
            file
            for match in glob.glob(str(Path(pattern).expanduser()), recursive=True)
            for file in ((Path(match),) if Path(match).is_file() else _below(Path(match)))
            if is_readable(file)
        ]
        if not matches:
            raise ValueError(f"{pattern!r} in data.source.paths matches no file ending in {', '.join(FORMATS)}")
        for file in matches:
            found.setdefault(file.resolve(), file.absolute())  # a link's target may have a name without ending
    return [found[target] for target in sorted(found)]


def _below(folder: Path) -> Iterator[Path]:
    """Files in a folder at any depth, but for hidden ones, such as a store's own."""
    for path in folder.rglob("*"):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def is_readable(path: Path) -> bool:
    """Whether it is a file of a format that we read."""
    return path.name.endswith(tuple(FORMATS)) and path.is_file()


def file_kind(path: Path) -> FileKind:
    """How a readable file is read."""
    return next(kind for ending, kind in FORMATS.items() if path.name.endswith(ending))


def _extractor_version() -> str:
    try:
        return metadata.version(EXTRACTOR)
    except metadata.PackageNotFoundError:
        raise ValueError(
            "HTML and WARC files are read by the extra `web`, which is not installed: pip install 'glam[web]'"
        ) from None
