"""What a benchmark ran on: numbers without it mean nothing."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from glam.environment import CPU_ALLOCATOR

PACKAGES = ("torch", "transformers", "glam")
CPU_INFO = Path("/proc/cpuinfo")
ASK_THREADS = "import torch; print(torch.get_num_threads())"


def environment() -> dict[str, Any]:
    """Facts about this machine and what is installed; None is unknown, or not installed."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": processor(),
        "allocator": {name: os.environ.get(name) for name in CPU_ALLOCATOR},
        "torch_threads": _torch_threads(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }


def processor() -> str | None:
    """The name of the processor."""
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or None


def _torch_threads() -> int:
    # In a process of its own: the import takes seconds and memory, and this process stays small.
    asked = subprocess.run([sys.executable, "-P", "-c", ASK_THREADS], stdout=subprocess.PIPE, text=True, check=True)
    return int(asked.stdout)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
