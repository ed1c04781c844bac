"""`glam status`: how every program of a store's stack is."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from infra.places import stack_logs
from infra.programs import Program, Site, programs
from infra.settings import Settings
from infra.stack_file import recorded_stack
from infra.supervision import ProgramRecord, last_words, read_records

Health = Literal["healthy", "starting", "restarting", "no answer", "failed", "stopped"]
_OF_STATE: dict[str, Health] = {
    "starting": "starting",
    "running": "no answer",
    "backoff": "restarting",
    "exited": "restarting",
    "fatal": "failed",
    "stopping": "stopped",
    "stopped": "stopped",
}
"""By supervisor's state, of a program that does not work."""


class ProgramStatus(BaseModel):
    """One program, as a person asks about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    health: Health
    pid: int | None
    address: str | None
    """None: nobody asks it."""
    since: datetime | None
    """When its process was started; None: there is none."""
    restarts: int
    last_line: str | None
    """Of the log of one that does not work."""


def status(store_root: Path) -> list[ProgramStatus]:
    """Every program in the order in which they start; empty where nothing is up."""
    store_root = store_root.absolute()
    stack = recorded_stack(store_root)
    if stack is None or stack.owner.find() is None:
        return []
    site = Site(store_root, stack.ports, stack.host, Settings.read())
    folder = stack_logs(store_root)
    records = read_records(folder)
    return [_status(name, program, records.get(name), site, folder) for name, program in programs(site).items()]


def _status(name: str, program: Program, record: ProgramRecord | None, site: Site, folder: Path) -> ProgramStatus:
    process = record.process if record is not None and record.process and record.process.find() else None
    if process is not None and program.healthy():
        health: Health = "healthy"
    else:
        health = "starting" if record is None else _OF_STATE.get(record.state, "no answer")
    return ProgramStatus(
        name=name,
        health=health,
        pid=process.pid if process is not None else None,
        address=program.address,
        since=datetime.fromtimestamp(process.started, UTC) if process is not None else None,
        restarts=max(record.starts - 1, 0) if record is not None else 0,
        last_line=None if health == "healthy" else site.settings.hide(last_words(folder, name)),
    )
