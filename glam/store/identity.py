"""What a result is called: a hash of all that determines it, and of nothing else."""

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel

CHUNK_BYTES = 1 << 20


def fingerprint(
    stage_config: BaseModel | Mapping[str, object],
    *,
    reads: Sequence[str] = (),
    revision: int,
    libraries: Iterable[str] = (),
) -> str:
    """16 hex digits of the SHA-256 of a stage's config, what it reads, its revision and its libraries.

    `reads` are fingerprints of upstream folders, or content hashes; their order does not matter.
    `libraries` are the distributions whose version decides the output.
    """
    config = stage_config.model_dump(mode="json") if isinstance(stage_config, BaseModel) else dict(stage_config)
    canonical = json.dumps(
        [config, sorted(reads), revision, library_versions(libraries)],
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Installed versions by distribution name, without the local part (2.13.0+cpu is 2.13.0)."""
    return {name: metadata.version(name).split("+")[0] for name in sorted(names)}


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@cache
def source_commit() -> str | None:
    """Commit of the checkout this code runs from, `+` appended when it is modified; None outside one."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / ".git").exists():
        return None
    try:
        commit = _git(checkout, "rev-parse", "HEAD").strip()
        return commit + ("+" if _git(checkout, "status", "--porcelain").strip() else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(checkout: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(checkout), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
    ).stdout
