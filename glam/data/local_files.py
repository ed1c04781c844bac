"""The source `local_files`: text files and JSON lines of the user, known by their content alone.

Names and places of files appear in no document and no fingerprint, so a copied or renamed corpus is
the same corpus.
"""

import glob
from collections import Counter
from pathlib import Path

from glam.config import SourceConfig
from glam.data.units import FileKind, SourceFile, Unit
from glam.store.identity import file_sha256

KINDS: dict[str, FileKind] = {".txt": "text", ".md": "text", ".rst": "text", ".jsonl": "jsonl"}


def identity(config: SourceConfig) -> dict[str, object]:
    """Content hashes of all matched files. Raises ValueError for a pattern that matches none."""
    return {
        "contents": sorted(f"{KINDS[path.suffix]}-{file_sha256(path)}" for path in matched_files(config)),
        "max_megabytes": config.max_megabytes,
    }


def units(config: SourceConfig) -> list[Unit]:
    """One unit a file, named by its content. Raises ValueError for a pattern that matches none."""
    seen: Counter[str] = Counter()
    found = []
    for path in matched_files(config):
        sha256 = file_sha256(path)
        kind = KINDS[path.suffix]
        key = f"{kind}-{sha256[:16]}"
        seen[key] += 1
        name = key if seen[key] == 1 else f"{key}-{seen[key]}"  # a copy is a document too, for deduplication to find
        found.append(Unit(name, path.stat().st_size, (SourceFile(kind, path, name, sha256),)))
    return sorted(found, key=lambda unit: unit.name)


def matched_files(config: SourceConfig) -> list[Path]:
    """Files of `config.paths` (files, directories or globs) with a suffix that we read, each once.

    Raises ValueError naming the pattern that matches none.
    """
    if not config.paths:
        raise ValueError("source local_files needs data.source.paths: files, directories or globs")
    found: set[Path] = set()
    for pattern in config.paths:
        matches = {
            file.resolve()
            for match in glob.glob(str(Path(pattern).expanduser()), recursive=True)
            for file in ((Path(match),) if Path(match).is_file() else Path(match).rglob("*"))
            if file.suffix in KINDS and file.is_file()
        }
        if not matches:
            raise ValueError(f"{pattern!r} in data.source.paths matches no file ending in {', '.join(KINDS)}")
        found |= matches
    return sorted(found)
