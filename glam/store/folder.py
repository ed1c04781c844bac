"""Folders of the store: open while somebody works on them, complete once their manifest stands.

`<root>/<kind>/<label>-<fingerprint>/`. A folder is looked up by kind and fingerprint alone; the label
is for people. Creating `manifest.json` after syncing all it lists is the commit; a complete folder is
never written again. One lock a folder, held with flock, so that kill -9 releases it.
"""

import fcntl
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from glam.records import Detour, FileEntry, Manifest, Record
from glam.store.errors import IntegrityError, StoreError, writing
from glam.store.identity import file_sha256, source_commit

KINDS = (
    "corpora",
    "classifiers",
    "tokenizers",
    "shards",
    "heldout",
    "runs",
    "scores",
    "verdicts",
    "certificates",
    "inference",
)
DEFAULT_ROOT = ".glam"
MANIFEST = "manifest.json"
STATE = "state.json"
HEARTBEAT_STALE_SECONDS = 60.0
LOOK_BACK_BYTES = 4096

State = Literal["absent", "running", "interrupted", "complete"]
RecordT = TypeVar("RecordT", bound=Record)


class FolderReference(BaseModel):
    """What tasks hand to each other: a name, no data and no path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    label: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.label}-{self.fingerprint}"


class Folder:
    """One folder of a store. Make one through `Store`, write through `Store.claim`."""

    def __init__(self, path: Path, reference: FolderReference):
        self.path = path
        self.reference = reference

    def __repr__(self) -> str:
        return f"Folder({self.path})"

    @property
    def complete(self) -> bool:
        return (self.path / MANIFEST).exists()

    def state(self) -> State:
        """Running means that its owner gave a sign of life within the last minute."""
        if self.complete:
            return "complete"
        if not (self.path / STATE).exists():
            return "absent"
        age = time.time() - (self.path / STATE).stat().st_mtime
        return "running" if age < HEARTBEAT_STALE_SECONDS else "interrupted"

    def manifest(self) -> Manifest:
        """Raises IntegrityError where there is none, or where it is not ours."""
        try:
            return Manifest.model_validate_json((self.path / MANIFEST).read_bytes())
        except FileNotFoundError:
            raise IntegrityError(f"{self.path} is not complete: it has no {MANIFEST}") from None
        except ValidationError as error:
            raise IntegrityError(f"{self.path / MANIFEST} is not a manifest of this version: {error}") from error

    def manifest_hash(self) -> str:
        """SHA-256 of the manifest, which names every file by its own: one hash for the whole folder."""
        return file_sha256(self.path / MANIFEST)

    def verify(self, *, contents: bool = True) -> None:
        """Raises IntegrityError at the first file that is missing, of another size or (contents) other bytes."""
        for entry in self.manifest().files:
            path = self.path / entry.name
            if not path.exists():
                raise IntegrityError(f"{path} is listed in its manifest and missing")
            size = path.stat().st_size
            if size != entry.size_bytes:
                raise IntegrityError(f"{path} has {size} bytes, its manifest says {entry.size_bytes}")
            if contents and file_sha256(path) != entry.sha256:
                raise IntegrityError(f"{path} has other content than its manifest says")

    def file(self, name: str) -> Path:
        """Path of a file in this folder; its parent exists afterwards in an open folder."""
        path = self.path / name
        if not self.complete:
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """A file to be written, which nobody sees before it is whole and synced."""
        with writing(self.path):
            path = self.file(name)
            # Of this process alone: one that was thought dead may still write.
            partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
            with open(partial, "w+b") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            os.replace(partial, path)

    def write_text(self, name: str, text: str) -> Path:
        """Writes a whole file of UTF-8 so that nobody ever sees a part of it."""
        with self.create(name) as out:
            out.write(text.encode())
        return self.path / name

    def write_json(self, name: str, value: object) -> Path:
        return self.write_text(name, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")

    def read_json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text("utf-8"))

    def append(self, name: str, records: Iterable[Record]) -> None:
        """Appends records to a JSON-lines file; a line is either whole or skipped by `read`.

        What was left of a line by a writer that was killed, or whose disk was full, is cut off first.
        """
        lines = "".join(record.model_dump_json() + "\n" for record in records)
        with writing(self.path), open(self.file(name), "a+b") as out:
            _cut_torn_line(out)
            out.write(lines.encode())

    def read(self, name: str, record_type: type[RecordT]) -> list[RecordT]:
        """Records of a JSON-lines file; empty where there is none. A last line without its end is left out."""
        return list(self.stream(name, record_type)) if (self.path / name).exists() else []

    def stream(self, name: str, record_type: type[RecordT]) -> Iterator[RecordT]:
        """The same one after the other, for files larger than memory; FileNotFoundError where there is none."""
        with open(self.path / name, "rb") as lines:
            for line in lines:
                if line.endswith(b"\n") and len(line) > 1:
                    yield record_type.model_validate_json(line)

    def remove(self, name: str) -> None:
        """Takes back a file of this open folder, such as one that only led to others."""
        assert not self.complete, f"{self.path} is complete"
        (self.path / name).unlink(missing_ok=True)

    def heartbeat(self) -> None:
        """Says that the owner of this open folder is alive."""
        os.utime(self.path / STATE)

    def commit(
        self,
        *,
        config: BaseModel | Mapping[str, object],
        reads: Sequence[str] = (),
        revision: int,
        libraries: Mapping[str, str] | None = None,
        numerics: Mapping[str, object] | None = None,
        detours: Sequence[Detour] = (),
    ) -> Manifest:
        """Syncs every file, then creates the manifest: from here on the folder is complete.

        Raises FileExistsError when it already was.
        """
        files = []
        for path in sorted(self.path.rglob("*")):
            if path.name.endswith(".partial"):  # of a process that was killed
                path.unlink(missing_ok=True)
                continue
            if path.is_dir() or path.name in (STATE, MANIFEST):
                continue
            _sync(path)
            name = path.relative_to(self.path).as_posix()
            files.append(FileEntry(name=name, size_bytes=path.stat().st_size, sha256=file_sha256(path)))
        manifest = Manifest(
            **self.reference.model_dump(),
            files=tuple(files),
            config=config.model_dump(mode="json") if isinstance(config, BaseModel) else dict(config),
            reads=tuple(reads),
            revision=revision,
            libraries=dict(libraries or {}),
            numerics=dict(numerics or {}),
            detours=tuple(detours),
            commit=source_commit(),
            started=datetime.fromisoformat(self.read_json(STATE)["started"]),
            ended=datetime.now(UTC),
        )
        # Linking is exclusive and atomic: a full disk leaves no half manifest behind.
        partial = self.write_text(MANIFEST + ".partial", manifest.model_dump_json(indent=1) + "\n")
        os.link(partial, self.path / MANIFEST)
        partial.unlink()
        _sync(self.path)
        return manifest


class Store:
    """All folders under one root."""

    def __init__(self, root: Path | str):
        self.root = Path(root).absolute()

    @classmethod
    def default(cls) -> Self:
        """The store that GLAM_STORE names, or `.glam` in the working directory."""
        return cls(os.environ.get("GLAM_STORE") or DEFAULT_ROOT)

    def reference(self, kind: str, label: str, fingerprint: str) -> FolderReference:
        assert kind in KINDS, f"unknown kind {kind!r}; known: {', '.join(KINDS)}"
        return FolderReference(kind=kind, label=_safe_label(label), fingerprint=fingerprint)

    def find(self, kind: str, fingerprint: str) -> Folder | None:
        """The folder of this fingerprint, open or complete, whatever its label; None where there is none."""
        for path in sorted((self.root / kind).glob(f"*-{fingerprint}")):
            return Folder(
                path, FolderReference(kind=kind, label=path.name[: -len(fingerprint) - 1], fingerprint=fingerprint)
            )
        return None

    def find_complete(self, kind: str, fingerprint: str) -> Folder | None:
        folder = self.find(kind, fingerprint)
        return folder if folder is not None and folder.complete else None

    def open(self, kind: str, fingerprint: str) -> Folder:
        """A complete folder, to read. Raises StoreError where there is none, IntegrityError under a false name."""
        folder = self.find_complete(kind, fingerprint)
        if folder is None:
            raise StoreError(f"no complete folder {kind}/*-{fingerprint} in {self.root}")
        manifest = folder.manifest()
        if (manifest.kind, manifest.fingerprint) != (kind, fingerprint):
            raise IntegrityError(
                f"{folder.path} holds {manifest.kind}/{manifest.label}-{manifest.fingerprint}; give it its name back"
            )
        return folder

    def folders(self, kind: str | None = None) -> Iterator[Folder]:
        """Every folder of one kind or of all, in order of their names."""
        for each in (kind,) if kind else KINDS:
            for path in sorted((self.root / each).glob("*-" + "[0-9a-f]" * 16)):
                label, _, mark = path.name.rpartition("-")
                yield Folder(path, FolderReference(kind=each, label=label, fingerprint=mark))

    def named(self, kind: str, name: str) -> list[Folder]:
        """Folders that a person may mean by `name`: a label, a fingerprint, or both as the folder is called."""
        return [
            folder
            for folder in self.folders(kind)
            if name in (folder.reference.label, folder.reference.fingerprint, folder.path.name, str(folder.reference))
        ]

    @contextmanager
    def claim(self, kind: str, label: str, fingerprint: str) -> Iterator[Folder]:
        """Holds the folder's lock: waits for another owner, then yields it open, or complete if done meanwhile.

        What an earlier owner left in an open folder is still there. Raises StoreError when the root
        cannot be written.
        """
        with self.lock(f"{kind}-{fingerprint}"):
            folder = self.find(kind, fingerprint)
            if folder is None:
                reference = self.reference(kind, label, fingerprint)
                folder = Folder(self.root / kind / f"{reference.label}-{fingerprint}", reference)
            if not folder.complete:
                with writing(folder.path):
                    folder.path.mkdir(parents=True, exist_ok=True)
                    _write_state(folder)
            yield folder

    @contextmanager
    def lock(self, name: str, *, patience_seconds: float | None = None) -> Iterator[None]:
        """An exclusive lock that ends with the process that holds it.

        Raises StoreError after `patience_seconds` of waiting (None: waits for ever).
        """
        path = self.root / "locks" / f"{name}.lock"
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "a")  # noqa: SIM115 - the lock lives as long as the file is open
        with file:
            _acquire(file, path, patience_seconds)
            yield

    def discard(self, folder: Folder) -> int:
        """Removes a folder and gives back its size in bytes. The manifest goes first: no half folder looks whole."""
        size = folder_bytes(folder)
        (folder.path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder.path)
        return size


def folder_bytes(folder: Folder) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())


def _acquire(file: IO[str], path: Path, patience_seconds: float | None) -> None:
    deadline = None if patience_seconds is None else time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if deadline is not None and time.monotonic() > deadline:
                raise StoreError(f"{path} is still held by another process after {patience_seconds:g} s") from None
            time.sleep(0.1)


def _write_state(folder: Folder) -> None:
    started = datetime.now(UTC).isoformat()
    if (folder.path / STATE).exists():
        started = folder.read_json(STATE)["started"]
    folder.write_json(STATE, {"owner": os.getpid(), "host": socket.gethostname(), "started": started})


def _safe_label(label: str) -> str:
    """A label as a file name: letters, digits, dots, dashes and underscores, at most 60."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip(".-")[:60] or "unnamed"


def _cut_torn_line(out: BinaryIO) -> None:
    """Of a file of lines that is open for appending and reading."""
    end = out.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - LOOK_BACK_BYTES)
        out.seek(start)
        if whole := out.read(end - start).rfind(b"\n") + 1:
            out.truncate(start + whole)
            return
        end = start
    out.truncate(0)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
