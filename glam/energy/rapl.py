"""Energy counters of the processor packages and their memory, as Linux shows them under /sys/class/powercap.

Source: Documentation/power/powercap/powercap.rst of the Linux kernel. Counters are microjoules and wrap at
`max_energy_range_uj` (some 2^38: an hour at 70 W), so a meter must be read more often than that. It is: windows are
steps of training, pieces of an evaluation and calls of a preparation, and what is counted between windows is not used.
Since kernel 5.10 only root may read them; then there is no such meter.
"""

import time
from collections.abc import Callable
from pathlib import Path

from glam.records import EnergyCovers, EnergyMethod, EnergyReading

POWERCAP = Path("/sys/class/powercap")


class RaplDomain:
    """One counter, unwrapped."""

    def __init__(self, path: Path):
        """Raises OSError or ValueError where the counter cannot be read."""
        self._counter = path / "energy_uj"
        self._range = int((path / "max_energy_range_uj").read_text())
        self._last = int(self._counter.read_text())
        self._total = 0

    def read_joules(self) -> float:
        """Joules since this object was made. Raises OSError where the counter is gone."""
        now = int(self._counter.read_text())
        self._total += now - self._last if now >= self._last else now + self._range - self._last
        self._last = now
        return self._total / 1e6


class RaplMeter:
    """All packages of this node, and memory where it is counted apart from them."""

    method: EnergyMethod = "rapl"
    per_process = False
    covers: EnergyCovers | None = "packages and memory"

    def __init__(self, domains: list[RaplDomain], *, clock: Callable[[], float] = time.monotonic):
        assert domains, "a meter of no domains would measure 0"
        self._domains, self._clock = domains, clock

    @classmethod
    def open(cls, root: Path = POWERCAP) -> "RaplMeter | None":
        """None where there is no counter or one cannot be read: a part of the packages would be a wrong sum."""
        try:
            domains = [RaplDomain(path) for path in _domain_paths(root)]
        except (OSError, ValueError):
            return None
        return cls(domains) if domains else None

    def read(self) -> EnergyReading:
        """Unknown where a counter is gone; it may come back, and nothing is lost if it has not wrapped."""
        try:
            joules = sum(domain.read_joules() for domain in self._domains)
        except (OSError, ValueError):
            joules = None
        # A counter is a measurement of what it covers: its range is the value itself.
        return EnergyReading(
            method=self.method,
            at_seconds=self._clock(),
            energy_joules=joules,
            low_joules=joules,
            high_joules=joules,
        )


def _domain_paths(root: Path) -> list[Path]:
    """Packages (`intel-rapl:0`) and their `dram` (`intel-rapl:0:1`); cores and graphics lie inside a package."""
    found = []
    for path in sorted(root.glob("intel-rapl:*")):
        name = (path / "name").read_text().strip()
        if name.startswith("package") or name == "dram":
            found.append(path)
    return found
