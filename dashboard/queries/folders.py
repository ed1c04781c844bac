"""Folders of a kind, listed once for each change of what is there."""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from dashboard.queries.files import version
from glam.store import Folder, Store
from glam.store.folder import MANIFEST

Marks = tuple[tuple[int, int] | None, ...]


def folders(root: Path, kind: str) -> tuple[Folder, ...]:
    """Every folder of one kind, in order of their names."""
    place = root / kind
    try:
        changed = os.stat(place).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return _folders(root, kind, changed)


def find(root: Path, kind: str, fingerprint: str) -> Folder | None:
    """The folder of this fingerprint; None where there is none."""
    return next((each for each in folders(root, kind) if each.reference.fingerprint == fingerprint), None)


def marks(folder: Folder, names: Iterable[str] = ()) -> Marks:
    """Changes whenever the manifest or one of these files does; the heartbeat of an open folder is no news."""
    return tuple(version(folder.path / name) for name in (MANIFEST, *names))


def folder_at(path: str) -> Folder:
    """The same folder from its path alone, which caches are keyed by."""
    place = Path(path)
    label, _, fingerprint = place.name.rpartition("-")
    return Folder(place, Store(place.parents[1]).reference(place.parent.name, label, fingerprint))


@lru_cache(maxsize=64)
def _folders(root: Path, kind: str, changed: int) -> tuple[Folder, ...]:  # noqa: ARG001 - a key of the cache
    return tuple(Store(root).folders(kind))
