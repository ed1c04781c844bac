"""What the store refuses, in words that say what to do."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_FULL = "the disk is full: make room (`glam store gc` shows what may go), then run the same again"
FULL_DISK_WORDS = re.compile(r"No space left on device|database or disk is full|\d+ requested and \d+ written")
"""Of libraries that hide the system's error number: safetensors, SQLite, numpy."""


class StoreError(RuntimeError):
    """The store cannot be read or written; the message names the path and what to do."""


class IntegrityError(StoreError):
    """A complete folder does not hold what its manifest says."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the operating system's refusal to write into an error that says what to do."""
    try:
        yield
    except OSError as error:
        advice = {
            errno.ENOSPC: DISK_FULL,
            errno.EROFS: "the file system is read-only: choose another place with --store or GLAM_STORE",
            errno.EACCES: "no permission to write there: choose another place with --store or GLAM_STORE",
            errno.EPERM: "no permission to write there: choose another place with --store or GLAM_STORE",
        }.get(error.errno or 0)
        if advice is None:
            raise
        raise StoreError(f"cannot write {error.filename or path}: {advice}") from error


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a full disk is what is behind an error, whichever library met it."""
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or FULL_DISK_WORDS.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
