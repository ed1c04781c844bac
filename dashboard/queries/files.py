"""Files of a store as they lie there, read so that nothing in them can harm a page.

A folder may come from anywhere: a link that leads outside, a pipe, a number of a thousand digits, or a file of another
program is `Broken`, with a reason that holds nothing of the file's text.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from glam.records import Record
from glam.store import IntegrityError, StoreError

MAX_DOCUMENT_BYTES = 64 << 20
"""Of a JSON document that is read whole."""
MAX_DIGITS = 18
"""Of a whole number: what fits a machine's word, and no true count is longer."""
RecordT = TypeVar("RecordT", bound=Record)


class Broken(Exception):
    """Something in the store that cannot be read; the message says why."""


READ_ERRORS = (
    Broken,
    StoreError,
    ValidationError,
    ValueError,
    OSError,
    KeyError,
    TypeError,
    RecursionError,
    OverflowError,
)
"""What reading a hostile folder may raise; wrong JSON and wrong UTF-8 are ValueErrors, pyarrow's errors are too."""


def store_root() -> Path:
    """GLAM_STORE, else `.glam` in the working folder."""
    return Path(os.environ.get("GLAM_STORE") or ".glam").absolute()


def version(path: Path) -> tuple[int, int] | None:
    """(size in bytes, time of the last change in nanoseconds); None where there is no such file."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size, status.st_mtime_ns


def regular_size(path: Path) -> int:
    """Bytes of a file. Raises Broken for a link, a pipe or a device: reading one may leave the store, or never end."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise Broken(f"{path.name} is no regular file")
    return status.st_size


def read_bytes(path: Path, *, most: int = MAX_DOCUMENT_BYTES) -> bytes:
    """All of a file. Raises Broken as `regular_size` does, and for one that is too large."""
    size = regular_size(path)
    if size > most:
        raise Broken(f"{path.name} has {size:,} bytes, more than the {most:,} that a page reads")
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """A JSON document. Raises one of READ_ERRORS."""
    return parse(read_bytes(path))


def read_record(path: Path, record_type: type[RecordT]) -> RecordT:
    """A record that is a file of its own. Raises one of READ_ERRORS."""
    return record_type.model_validate(read_json(path))


def parse(text: bytes) -> Any:
    """JSON whose whole numbers are of a size that can be true."""
    return json.loads(text, parse_int=_whole_number)


def reason(error: Exception) -> str:
    """Why something cannot be read, in one line."""
    if isinstance(error, IntegrityError) and isinstance(error.__cause__, ValidationError):
        error = error.__cause__
    if isinstance(error, ValidationError):
        # pydantic's own text quotes the file.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(each)[:40] for each in first["loc"][:4]) or "it"
        return f"{error.title}: {place}: {first['msg']}"[:300]
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON at line {error.lineno}, column {error.colno}"
    if isinstance(error, KeyError):
        return "a field is missing"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "no text in UTF-8"
    sentence = " ".join(str(error).split()) or "no reason given"
    return f"{type(error).__name__}: {sentence[:200]}" if not isinstance(error, Broken) else sentence[:300]


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS + 1:
        raise Broken(f"a whole number of {len(digits):,} digits")
    return int(digits)
