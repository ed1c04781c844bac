"""`glam up --detach`: a stack that outlives the terminal it was started from.

As a program (`python -m infra.detached`) it is that stack: store, ports and host come from the environment.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from glam.store import StoreError
from glam.store.errors import writing
from infra.places import stack_logs
from infra.programs import Site
from infra.stack import STOP_SECONDS, Say, StackError, say_line, say_running, up
from infra.stack_file import read_stack, recorded_stack

FAILURES = (StackError, StoreError, ValueError)
PREFIX = "glam: "


def up_detached(site: Site, *, say: Say = say_line) -> int:
    """Starts the stack in a session of its own, says what it says until all answers, and returns 0.

    Raises StackError with its reason when it does not come up; nothing is left of it then.
    """
    running = recorded_stack(site.store_root)
    if running is not None and running.owner.find() is not None:
        return say_running(running, say)
    folder = stack_logs(site.store_root)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "up.log"
        output = open(log, "wb")  # noqa: SIM115 - the child goes on writing
    with output:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.detached"],
            env={**os.environ, **site.variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _follow(process, site.store_root, log, say)
    except BaseException:
        process.terminate()
        process.wait(timeout=2 * STOP_SECONDS)
        raise


def _follow(process: subprocess.Popen[bytes], store_root: Path, log: Path, say: Say) -> int:
    """Until the stack is ready, or has ended."""
    said = 0
    while True:
        code = process.poll()
        stack = read_stack(store_root)
        lines = log.read_text("utf-8", errors="replace").split("\n")[:-1]
        for line in lines[said:]:
            if not line.startswith(PREFIX):
                say(line)
        said = len(lines)
        if stack is not None and stack.owner.pid == process.pid and any(line.startswith("All is up") for line in lines):
            return 0
        if code is not None:
            if code != 0:
                reason = lines[-1].removeprefix(PREFIX) if lines else f"it ended with code {code} and without a word"
                raise StackError(reason)
            return 0  # another was faster, whose addresses have been said
        time.sleep(0.2)


def main() -> int:
    """Entry point of `python -m infra.detached`."""
    try:
        site = Site.read()
        return up(site.store_root, site.ports, host=site.host)
    except FAILURES as error:
        say_line(f"{PREFIX}{' '.join(str(error).split())}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
