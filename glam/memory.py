"""How much memory this process has held."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
KIB = 1024


def peak_bytes() -> int:
    """The most memory that this process has held.

    Where there is /proc it is read there: Linux starts a process's ru_maxrss at the peak of the one that started it.
    """
    if STATUS.exists():
        (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * KIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * KIB
