"""What a source is made of before it is read: files, grouped into units that a held-out split must not cut."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FileKind = Literal["module", "topics", "readme", "longform", "text", "jsonl"]


@dataclass(frozen=True)
class SourceFile:
    """One file and how to read it (a key of `glam.data.readers.READERS`)."""

    kind: FileKind
    path: Path
    name: str
    """Names the file's documents: a path inside its package or a content hash, never a place on this machine."""
    sha256: str | None = None
    """Content that the fingerprint was made from; reading raises ValueError where the file has other content."""


@dataclass(frozen=True)
class Unit:
    """A package, module or file: read whole, and on one side of the held-out split."""

    name: str
    size_bytes: int
    """Text to expect; exact for texts, an estimate for source code."""
    files: tuple[SourceFile, ...]
