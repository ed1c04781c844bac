"""What a source is made of before it is read: parts, grouped into units that a held-out split must not cut."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glam.config import HubConfig
from glam.data.draws import draw

FileKind = Literal[
    "module",
    "topics",
    "readme",
    "longform",
    "text",
    "jsonl",
    "jsonl_gzip",
    "jsonl_zstd",
    "parquet",
    "html",
    "warc",
    "warc_gzip",
]


@dataclass(frozen=True, kw_only=True)
class Part(ABC):
    """Something to read, and what a mixture says of all that is in it."""

    source: str | None = None
    """`source` of its documents; None: as they say themselves."""
    curated: bool = False
    """Whether its documents are, where they do not say so themselves."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it lies, for people; enters no document and no fingerprint."""


@dataclass(frozen=True)
class SourceFile(Part):
    """One file and how to read it (a key of `glam.data.readers.READERS`)."""

    kind: FileKind
    path: Path
    name: str
    """Names the file's documents: a path inside its package or a content hash, never a place on this machine."""
    sha256: str | None = None
    """Content that the fingerprint was made from; reading raises ValueError where the file has other content."""

    @property
    def place(self) -> str:
        return self.path.name.encode(errors="backslashreplace").decode()


@dataclass(frozen=True)
class HubShard(Part):
    """One of the pieces in which a data set lies on the hub."""

    hub: HubConfig
    index: int
    num_shards: int
    max_bytes: int | None
    """Text after which reading stops; None: all of it."""

    @property
    def place(self) -> str:
        return f"{self.hub.id} ({self.hub.split}, shard {self.index} of {self.num_shards})"


@dataclass(frozen=True)
class Unit:
    """A package, module, file or shard: read whole. A held-out split does not cut it, unless its documents name
    units of their own."""

    name: str
    size_bytes: int
    """Text to expect; exact for texts, an estimate for source code, compressed files and the hub."""
    parts: tuple[Part, ...]


def up_to(max_megabytes: float | None, units: Sequence[Unit]) -> list[Unit]:
    """Units up to `max_megabytes` in a fixed pseudo-random order; one that no longer fits is passed over.

    Raises ValueError where not even the smallest fits.
    """
    if max_megabytes is None:
        return list(units)
    room = max_megabytes * 1e6
    chosen = []
    for unit in sorted(units, key=lambda unit: (draw(unit.name), unit.name)):
        if unit.size_bytes <= room:
            room -= unit.size_bytes
            chosen.append(unit)
    if not chosen:
        smallest = min(units, key=lambda unit: unit.size_bytes)
        raise ValueError(
            f"max_megabytes={max_megabytes:g} has no room for the smallest unit, {smallest.name} "
            f"with {smallest.size_bytes / 1e6:.3g} MB; raise it, or give smaller files"
        )
    return chosen
