"""SOURCES: where documents come from. A source says what it consists of; `readers` does the reading."""

from collections.abc import Callable
from typing import NamedTuple

from glam.config import SourceConfig
from glam.data import hub, local_files, mixture, python_docs
from glam.data.units import Unit, up_to


class Source(NamedTuple):
    """Two questions to a source, both deterministic."""

    identity: Callable[[SourceConfig], dict[str, object]]
    """JSON facts that determine what the source yields; cheap: no numpy, no torch, no network."""
    units: Callable[[SourceConfig], list[Unit]]
    """All units in order of their names."""


SOURCES = {
    "python_docs": Source(python_docs.identity, python_docs.units),
    "local_files": Source(local_files.identity, local_files.units),
    "hub": Source(hub.identity, hub.units),
    **{name: Source(mixture.identity, mixture.units) for name in mixture.KINDS},
}


def source(name: str) -> Source:
    """The source of that name. Raises ValueError listing what exists."""
    if name not in SOURCES:
        raise ValueError(f"unknown source {name!r}; known: {', '.join(sorted(SOURCES))}")
    return SOURCES[name]


def plan_shards(config: SourceConfig) -> list[tuple[Unit, ...]]:
    """Units of each of `num_shards` file shards, about equal in size; later shards may be empty.

    Raises ValueError for a source without text, and where `max_megabytes` leaves room for none.
    """
    loads = [0] * config.num_shards
    shards: list[list[Unit]] = [[] for _ in loads]
    chosen = up_to(config.max_megabytes, source(config.name).units(config))
    for unit in sorted(chosen, key=lambda unit: (-unit.size_bytes, unit.name)):
        lightest = loads.index(min(loads))
        loads[lightest] += unit.size_bytes
        shards[lightest].append(unit)
    return [tuple(shard) for shard in shards]
