"""The main job as a user starts it, once for all tests of this folder, under observation.

Where root may make a network namespace, the job runs in one whose only way out is a counted dead end.
"""

import ipaddress
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from glam.store import Store
from infra.lifeline import end, marked

GLAM = (sys.executable, "-c", "from flows.cli import main; main()")
LISTEN = "0A"
MARK = "GLAM_TEST_MARK"
DEAD_END = r"""
set -e
ip link set lo up
ip link add out type veth peer name wall
echo 1 > /proc/sys/net/ipv6/conf/out/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/wall/disable_ipv6
ip addr add 10.99.0.1/24 dev out
ip link set out up
ip link set wall up
ip route add default dev out
echo "nameserver 10.99.0.2" > "$RECORD.resolv"
mount --bind "$RECORD.resolv" /etc/resolv.conf
set +e
"$@"
code=$?
awk '$1 == "out:" { print $11 }' /proc/net/dev > "$RECORD"
exit $code
"""


@dataclass
class Observed:
    """A finished process and what was seen of it."""

    returncode: int
    stdout: str
    stderr: str
    listeners: set[tuple[str, int]] = field(default_factory=set)
    """(address, port) on which anything of the job listened, sampled; empty where no namespace can be made."""
    packets_out: int | None = None
    """Packets that left for anything but loopback; None where no namespace can be made."""
    left_behind: list[str] = field(default_factory=list)


class Job:
    """`glam` with a mark in its environment by which all its processes are found, wherever they hang."""

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None):
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            arguments,
            env={**os.environ, **(environment or {}), MARK: self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> list[psutil.Process]:
        return marked(MARK, self.mark)

    def wait_until_gone(self, seconds: float) -> list[str]:
        """Names of processes that still live after so long; they are ended then."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.3)
        names = [process.name() for process in left if process.is_running()]
        end(left, patience_seconds=2)
        return names


def observe(arguments: Sequence[str], record: Path) -> Observed:
    """Runs to the end, sampling the listeners of all processes that the job starts."""
    jailed = in_dead_end(arguments) if can_jail() else list(arguments)
    job = Job(jailed, environment={"RECORD": str(record)})
    listeners: set[tuple[str, int]] = set()
    while job.process.poll() is None:
        if in_another_network(job.process.pid):
            listeners |= listening(job.process.pid)
        time.sleep(0.3)
    stdout, stderr = job.process.communicate()
    return Observed(
        returncode=job.process.returncode,
        stdout=stdout,
        stderr=stderr,
        listeners=listeners,
        packets_out=int(record.read_text()) if record.exists() else None,
        left_behind=job.wait_until_gone(10),
    )


def in_another_network(pid: int) -> bool:
    """Whether a process has left our network namespace already."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    except OSError:
        return False  # it ended while we looked


def listening(pid: int) -> set[tuple[str, int]]:
    """(address, port) of every listening TCP socket in the network namespace of a process."""
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            return set()  # it ended while we looked
        for line in lines:
            _, local, _, state, *_ = line.split()
            if state == LISTEN:
                address, _, port = local.partition(":")
                words = bytes.fromhex(address)
                # Each 32-bit word stands in the machine's byte order, which is little-endian wherever we run.
                packed = b"".join(words[start : start + 4][::-1] for start in range(0, len(words), 4))
                found.add((str(ipaddress.ip_address(packed)), int(port, 16)))
    return found


def in_dead_end(arguments: Sequence[str]) -> list[str]:
    return ["unshare", "--net", "--mount", "sh", "-c", DEAD_END, "sh", *arguments]


def can_jail() -> bool:
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class Finished:
    store: Store
    observed: Observed


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A store in which `glam run smoke` ran to its end."""
    place = tmp_path_factory.mktemp("finished")
    store = Store(place / "store")
    observed = observe([*GLAM, "run", "smoke", "--store", str(store.root)], place / "packets")
    assert observed.returncode == 0, observed.stderr[-5000:]
    return Finished(store, observed)


def with_prefects_database(root: Path, finished: Finished) -> Store:
    """A store without results, but with Prefect's database, which takes 7 s to build."""
    shutil.copytree(finished.store.root / "prefect", root / "prefect")
    return Store(root)
