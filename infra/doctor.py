"""What this machine has, and what is wrong with it. Pure data; the command line prints it."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict

from glam.environment import CPU_ALLOCATOR, DEFAULTS
from infra.places import CODE
from infra.ports import is_free, listener
from infra.stack_file import Ports, read_stack

Status = Literal["ok", "warn", "bad"]

GIB = 1 << 30
MIN_MEMORY_BYTES = 6 * GIB
MIN_SHARED_MEMORY_BYTES = 2 * GIB
"""Ray's object store lies there; below, Ray falls back to files under /tmp and is slow."""
MIN_DISK_BYTES = 5 * GIB
SUPPORTED_PYTHON = ((3, 11), (3, 13))
ASK_DEVICES = """
import torch
names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
print(", ".join(names) or f"cpu ({torch.get_num_threads()} threads)")
"""
GLOO_VARIABLE = "GLOO_SOCKET_IFNAME"


class Finding(BaseModel):
    """One fact about the machine, judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: str
    status: Status
    advice: str = ""
    """What to do; empty where all is well."""


def examine(store_root: Path) -> list[Finding]:
    """Every finding, in a fixed order; changes nothing but for a probe file in the store, removed at once."""
    return [finding for look in EXAMINATIONS for finding in look(store_root.absolute())]


def _python(_root: Path) -> Iterator[Finding]:
    low, high = SUPPORTED_PYTHON
    fits = low <= sys.version_info[:2] <= high
    yield _finding("Python", platform.python_version(), fits, "bad", "use Python 3.11, 3.12 or 3.13")


def _cores(_root: Path) -> Iterator[Finding]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    advice = "two workers want two cores: use --workers 1"
    yield _finding("cores", str(usable), usable >= 2, "warn", advice)


def _memory(_root: Path) -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    value = f"{_gib(memory.available)} free of {_gib(memory.total)}"
    advice = f"quickstart wants {_gib(MIN_MEMORY_BYTES)}: end other programs, or run smoke"
    yield _finding("memory", value, memory.available >= MIN_MEMORY_BYTES, "warn", advice)


def _shared_memory(_root: Path) -> Iterator[Finding]:
    place = Path("/dev/shm")
    if not place.exists():
        yield Finding(name="shared memory", value="no /dev/shm here", status="ok")
        return
    free = shutil.disk_usage(place).free
    advice = "enlarge it (in a container: --shm-size=2g), or Ray uses slow files"
    yield _finding("shared memory", f"{_gib(free)} free", free >= MIN_SHARED_MEMORY_BYTES, "warn", advice)


def _disk(root: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(_existing(root)).free
    advice = "free some space, or choose another place with --store"
    yield _finding("disk", f"{_gib(free)} free", free >= MIN_DISK_BYTES, "warn", advice)


def _store(root: Path) -> Iterator[Finding]:
    place = _existing(root)
    probe = place / f".glam-doctor-{os.getpid()}"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        advice = f"{error.strerror}: choose another place with --store or GLAM_STORE"
        yield Finding(name="store", value=str(root), status="bad", advice=advice)
        return
    yield Finding(
        name="store", value=f"{root} can be written" + ("" if root.exists() else " (not there yet)"), status="ok"
    )


def _torch(_root: Path) -> Iterator[Finding]:
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        yield Finding(name="torch", value="not installed", status="bad", advice="make install")
        return
    yield Finding(name="torch", value=version, status="ok")
    # In a process of its own: the import takes seconds, and a broken one is a finding.
    asked = subprocess.run([sys.executable, "-c", ASK_DEVICES], capture_output=True, text=True, timeout=120)
    last_words = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
    yield _finding("devices", asked.stdout.strip() or "unknown", asked.returncode == 0, "bad", last_words)


def _gloo(_root: Path) -> Iterator[Finding]:
    wanted = os.environ.get(GLOO_VARIABLE, DEFAULTS[GLOO_VARIABLE])
    present = psutil.net_if_addrs()
    advice = f"set {GLOO_VARIABLE} to one of: {', '.join(present)}"
    yield _finding("gloo interface", wanted, wanted in present, "bad", advice)


def _allocator(_root: Path) -> Iterator[Finding]:
    if not sys.platform.startswith("linux"):
        return
    differing = {
        name: os.environ[name]
        for name in CPU_ALLOCATOR
        if os.environ.get(name, CPU_ALLOCATOR[name]) != CPU_ALLOCATOR[name]
    }
    value = ", ".join(f"{name}={value}" for name, value in differing.items()) or "workers are started with ours"
    advice = "unset them: glibc gives large buffers back at each free, and training is 1.6 to 10 times slower"
    yield _finding("allocator", value, not differing, "warn", advice)


def _ports(root: Path) -> Iterator[Finding]:
    stack = read_stack(root)
    ports = stack.ports if stack is not None else Ports()
    for server, port in ports.model_dump().items():
        name = f"port {port} ({server})"
        if stack is not None:
            yield Finding(name=name, value="our stack", status="ok")
            continue
        free = is_free(port)
        value = "free" if free else f"used by {listener(port) or 'another process'}"
        yield _finding(name, value, free, "warn", f"`glam up --{server}-port` takes another")


def _versions(_root: Path) -> Iterator[Finding]:
    lock = CODE / "requirements.lock"
    if not lock.exists():
        yield Finding(name="versions", value="no requirements.lock beside the code", status="ok")
        return
    differing = []
    for name, locked in locked_versions(lock.read_text("utf-8")).items():
        try:
            installed = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            continue  # for another platform or Python, or an extra
        if installed != locked:
            differing.append(f"{name} {installed} (lock: {locked})")
    shown = ", ".join(differing[:5]) + (f" and {len(differing) - 5} more" if len(differing) > 5 else "")
    yield _finding("versions", shown or "as in requirements.lock", not differing, "warn", "make install")


def locked_versions(lock: str) -> dict[str, str]:
    """Version by distribution of a requirements file's exact pins; those that depend on the platform are left out."""
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock, re.MULTILINE):
        pins.setdefault(name, set()).add(version.split("+")[0])
    return {name: versions.pop() for name, versions in pins.items() if len(versions) == 1}


EXAMINATIONS: tuple[Callable[[Path], Iterator[Finding]], ...] = (
    _python,
    _cores,
    _memory,
    _shared_memory,
    _disk,
    _store,
    _torch,
    _gloo,
    _allocator,
    _ports,
    _versions,
)


def _finding(name: str, value: str, good: bool, otherwise: Status, advice: str) -> Finding:
    return Finding(name=name, value=value, status="ok" if good else otherwise, advice="" if good else advice)


def _existing(path: Path) -> Path:
    """The path, or its nearest parent that is there."""
    return path if path.exists() else _existing(path.parent)


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
