"""Supervisord, tied to the `glam up` that starts it: `python -m infra.supervisor CONFIG PARENT`.

It keeps a record of its programs beside its configuration, where others would open a port to ask it.
"""

import signal
import sys
from pathlib import Path

import psutil
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.states import getProcessStateDescription
from supervisor.supervisord import Supervisor

from infra.lifeline import ProcessRecord, end_with_parent
from infra.supervision import ProgramRecord, state_named, write_records


class RecordingSupervisor(Supervisor):
    """Writes down what has changed, at least once a second."""

    def __init__(self, options: ServerOptions, folder: Path):
        super().__init__(options)
        self._folder = folder
        self._starts: dict[str, tuple[float, int]] = {}
        """When each was last started, and how often it was."""
        self._written: dict[str, ProgramRecord] = {}

    def tick(self, now: float | None = None) -> None:
        """Called in every round of the loop, after programs were started and reaped."""
        super().tick(now)
        records = {name: self._record(name, process) for name, process in self._processes()}
        if records != self._written:
            write_records(self._folder, records)
            self._written = records

    def _processes(self):
        for group in (self.process_groups or {}).values():
            yield from group.processes.items()

    def _record(self, name: str, process) -> ProgramRecord:
        last, starts = self._starts.get(name, (0, 0))
        if process.laststart != last:
            starts += 1
            self._starts[name] = (process.laststart, starts)
        return ProgramRecord(
            state=state_named(getProcessStateDescription(process.get_state()) or "unknown"),
            process=_living(process.pid),
            starts=starts,
        )


def _living(pid: int) -> ProcessRecord | None:
    try:
        return ProcessRecord.of(pid) if pid else None
    except psutil.NoSuchProcess:
        return None


def supervise(config: Path) -> None:
    """Runs the programs until SIGTERM."""
    options = ServerOptions()
    options.realize(["--nodaemon", "--configuration", str(config)])
    vars(options).update(first=True, test=False)  # as supervisord's own main does
    try:
        RecordingSupervisor(options, config.parent).main()
    except asyncore.ExitNow:
        pass
    finally:
        options.close_logger()


if __name__ == "__main__":
    end_with_parent(int(sys.argv[2]), signal.SIGTERM)
    supervise(Path(sys.argv[1]))
