"""What the workers of an open run have logged since one last looked, however long the run is."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from glam.records import Detour, HeldoutPoint, StepMetrics
from glam.store import Folder
from glam.training.checkpoint import DETOURS
from glam.training.loop import HELDOUT, STEPS

WARNINGS = "warnings.log"
"""In the folder of a run that met any: what its first worker warned of, a line each."""
RecordT = TypeVar("RecordT", StepMetrics, HeldoutPoint)


class Follower:
    """A run from its beginning on. Steps that are made again after a roll-back are new, after an interruption not."""

    def __init__(self, folder: Folder):
        self._steps = _Tail(folder, STEPS, StepMetrics)
        self._points = _Tail(folder, HELDOUT, HeldoutPoint)
        self._warnings = folder.path / WARNINGS
        self._told_bytes = self._warnings.stat().st_size if self._warnings.exists() else 0

    def new(self) -> tuple[list[StepMetrics], list[HeldoutPoint]]:
        """Records that were not given back before, in order."""
        return self._steps.new(), self._points.new()

    def warnings(self) -> list[str]:
        """What was warned of since one last looked, or since the beginning of this look at the run."""
        if not self._warnings.exists():
            return []
        with open(self._warnings, "rb") as file:
            file.seek(self._told_bytes)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._told_bytes += len(whole)
        return whole.decode(errors="replace").splitlines()


@contextmanager
def warnings_written(folder: Folder) -> Iterator[None]:
    """Writes what the library warns of in this process where a Follower reads it; Ray keeps workers' logs to itself."""
    handler = logging.FileHandler(folder.path / WARNINGS, encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(message)s"))
    library = logging.getLogger("glam")
    library.addHandler(handler)
    try:
        yield
    finally:
        library.removeHandler(handler)
        handler.close()


class _Tail(Generic[RecordT]):
    """New lines of a file that grows; once in a while it is replaced by a shorter one, which then grows again."""

    def __init__(self, folder: Folder, name: str, record_type: type[RecordT]):
        self._folder, self._name, self._record_type = folder, name, record_type
        self._file_number, self._read_bytes = -1, 0
        self._last_step = self._num_detours = 0

    def new(self) -> list[RecordT]:
        try:
            with open(self._folder.path / self._name, "rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._file_number or found.st_size < self._read_bytes:
                    self._file_number, self._read_bytes = found.st_ino, 0
                    self._go_back()
                file.seek(self._read_bytes)
                lines = file.read()
        except FileNotFoundError:
            return []
        whole = lines[: lines.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        records = [self._record_type.model_validate_json(line) for line in whole.splitlines() if line]
        new = [record for record in records if record.step > self._last_step]
        self._last_step = max([self._last_step, *(record.step for record in new)])
        return new

    def _go_back(self) -> None:
        """A roll-back is written down before the steps that it leaves behind are taken out of the file."""
        detours = self._folder.read(DETOURS, Detour)
        self._last_step = min([self._last_step, *(each.step for each in detours[self._num_detours :])])
        self._num_detours = len(detours)
