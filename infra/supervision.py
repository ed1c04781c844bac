"""What supervisor is told about the programs, and what it says of them."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter

from infra.lifeline import ProcessRecord
from infra.programs import Program

STATES_FILE = "programs.json"
State = Literal["stopped", "starting", "running", "backoff", "stopping", "exited", "fatal", "unknown"]
"""Supervisor's own words: backoff is before the next try of one that ended at once, fatal after the last."""


class ProgramRecord(BaseModel):
    """One program, as supervisor sees it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: State
    process: ProcessRecord | None
    """None: it does not run."""
    starts: int
    """How often it was started."""


_RECORDS = TypeAdapter(dict[str, ProgramRecord])


def supervisor_config(names: Mapping[str, Program]) -> str:
    """Supervisor's configuration, to be run in the folder that takes its logs. It opens no port."""
    sections = ["[supervisord]\nnodaemon=true\nlogfile=supervisor.log\npidfile=supervisor.pid\nloglevel=info\n"]
    interpreter = shlex.quote(sys.executable).replace("%", "%%")
    for priority, (name, program) in enumerate(names.items()):
        sections.append(
            f"[program:{name}]\n"
            f"command={interpreter} -m infra.programs {name}\n"
            f"priority={priority}\n"
            f"stdout_logfile={name}.log\nstdout_logfile_maxbytes=5MB\nstdout_logfile_backups=1\nredirect_stderr=true\n"
            "autorestart=true\nstartsecs=10\nstartretries=3\n"
            f"stopsignal={program.stop_signal}\n"
            f"stopwaitsecs={program.stop_seconds}\nstopasgroup=true\nkillasgroup=true\n"
        )
    return "\n".join(sections)


def read_records(folder: Path) -> dict[str, ProgramRecord]:
    """Every program by name, as the supervisor of this folder last saw it; empty before it has looked."""
    try:
        return _RECORDS.validate_json((folder / STATES_FILE).read_bytes())
    except FileNotFoundError:
        return {}


def write_records(folder: Path, records: Mapping[str, ProgramRecord]) -> None:
    """Replaces the file so that nobody sees a part of it."""
    partial = folder / f"{STATES_FILE}.partial"
    partial.write_bytes(_RECORDS.dump_json(dict(records), indent=1))
    os.replace(partial, folder / STATES_FILE)


def state_named(word: str) -> State:
    """Of supervisor's word in capitals."""
    return next((state for state in get_args(State) if state == word.lower()), "unknown")


def last_words(folder: Path, name: str) -> str:
    """The last line of a program's log."""
    path = folder / f"{name}.log"
    lines = path.read_text("utf-8", errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1] if lines else "it left no log"
