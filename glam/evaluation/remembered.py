"""What the questions of a benchmark's files are, remembered between processes: reading all of them takes minutes.

A file that is not what it was has another time of change or size, and code that is not what it was another hash, so
what is remembered is never out of date. Losing it costs time and nothing else.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile

ROOM = Path(__file__).parent


def remembered(what: object, make: Callable[[], list[str]]) -> list[str]:
    """The strings that `make` gives for `what`, a value of JSON, under the code of this room."""
    mark = hashlib.sha256(json.dumps([what, _code()], sort_keys=True).encode()).hexdigest()
    file = folder() / f"{mark}.json"
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text("utf-8"))
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            return found
    made = make()
    with suppress(OSError):  # a home that cannot be written to, or a full disk: it is made again next time
        _write(file, json.dumps(made))
    return made


def folder() -> Path:
    """Where a person's caches are."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glam" / "questions"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=file.parent, encoding="utf-8", delete=False) as unfinished:
        unfinished.write(text)
    os.replace(unfinished.name, file)


@lru_cache(maxsize=1)
def _code() -> str:
    mark = hashlib.sha256()
    for file in sorted(ROOM.rglob("*.py")):
        mark.update(f"{file.relative_to(ROOM)}\n".encode() + file.read_bytes())
    return mark.hexdigest()
