"""What a store holds, what it takes, and what may go.

A folder may go when nothing that is pinned, and no verdict, was made from it; open folders may go when
nobody works on them. Pins are files under `pins/`, one a folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from glam.store.errors import StoreError
from glam.store.folder import Folder, FolderReference, State, Store, folder_bytes


@dataclass(frozen=True)
class Entry:
    """One folder as `glam store ls` shows it."""

    reference: FolderReference
    state: State
    size_bytes: int
    ended: datetime | None
    """None for a folder that is not complete."""
    pinned: bool


def entries(store: Store) -> Iterator[Entry]:
    """Every folder of the store, in order of kind and name."""
    for folder in store.folders():
        yield Entry(
            reference=folder.reference,
            state=folder.state(),
            size_bytes=folder_bytes(folder),
            ended=folder.manifest().ended if folder.complete else None,
            pinned=_pin(store, folder.reference).exists(),
        )


def pin(store: Store, name: str, *, pinned: bool = True) -> FolderReference:
    """Keeps a folder, and all it was made from, out of `collect`; or lets it go again."""
    reference = find(store, name).reference
    path = _pin(store, reference)
    if pinned:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    else:
        path.unlink(missing_ok=True)
    return reference


def find(store: Store, name: str) -> Folder:
    """The folder whose name ends in `name`, for example its fingerprint. Raises StoreError for none or several."""
    found = [folder for folder in store.folders() if str(folder.reference).endswith(name)]
    if len(found) != 1:
        listed = ", ".join(str(folder.reference) for folder in found) or "none"
        raise StoreError(f"{name!r} should name one folder of {store.root}; it names {listed}")
    return found[0]


def unneeded(store: Store) -> list[Folder]:
    """Folders that may go: not pinned, not a verdict, not made use of by one that stays, and not being written."""
    by_name = {str(folder.reference): folder for folder in store.folders()}
    pending = [
        folder
        for folder in by_name.values()
        if folder.state() == "running"
        or _pin(store, folder.reference).exists()
        or (folder.reference.kind == "verdicts" and folder.complete)
    ]
    needed: set[str] = set()
    while pending:
        folder = pending.pop()
        needed.add(str(folder.reference))
        if folder.complete:
            reads = {str(read) for read in folder.manifest().reads} - needed
            pending += [by_name[read] for read in reads if read in by_name]
    return [folder for name, folder in by_name.items() if name not in needed]


def collect(store: Store) -> int:
    """Removes what `unneeded` names; gives back the bytes freed. A folder locked meanwhile is left."""
    freed = 0
    for folder in unneeded(store):
        try:
            with store.lock(f"{folder.reference.kind}-{folder.reference.fingerprint}", patience_seconds=0):
                freed += store.discard(folder)
        except StoreError:
            continue
    return freed


def _pin(store: Store, reference: FolderReference) -> Path:
    return store.root / "pins" / f"{reference.kind}-{reference.fingerprint}"
