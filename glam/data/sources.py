"""SOURCES: where documents come from. A source says what it consists of; `readers` does the reading."""

from collections.abc import Callable
from typing import NamedTuple

from glam.config import SourceConfig
from glam.data import local_files, python_docs
from glam.data.draws import draw
from glam.data.units import Unit


class Source(NamedTuple):
    """Two questions to a source, both cheap and deterministic."""

    identity: Callable[[SourceConfig], dict[str, object]]
    """JSON facts that determine what the source yields; no numpy, no torch."""
    units: Callable[[SourceConfig], list[Unit]]
    """All units in order of their names."""


SOURCES = {
    "python_docs": Source(python_docs.identity, python_docs.units),
    "local_files": Source(local_files.identity, local_files.units),
}


def source(name: str) -> Source:
    """The source of that name. Raises ValueError listing what exists."""
    if name not in SOURCES:
        raise ValueError(f"unknown source {name!r}; known: {', '.join(sorted(SOURCES))}")
    return SOURCES[name]


def plan_shards(config: SourceConfig) -> list[tuple[Unit, ...]]:
    """Units of each of `num_shards` file shards, about equal in size; later shards may be empty."""
    loads = [0] * config.num_shards
    shards: list[list[Unit]] = [[] for _ in loads]
    for unit in sorted(chosen_units(config), key=lambda unit: (-unit.size_bytes, unit.name)):
        lightest = loads.index(min(loads))
        loads[lightest] += unit.size_bytes
        shards[lightest].append(unit)
    return [tuple(shard) for shard in shards]


def chosen_units(config: SourceConfig) -> list[Unit]:
    """Units up to `max_megabytes` in a fixed pseudo-random order; one that no longer fits is passed over.

    Raises ValueError where not even the smallest fits.
    """
    units = source(config.name).units(config)
    if config.max_megabytes is None:
        return units
    room = config.max_megabytes * 1e6
    chosen = []
    for unit in sorted(units, key=lambda unit: (draw(unit.name), unit.name)):
        if unit.size_bytes <= room:
            room -= unit.size_bytes
            chosen.append(unit)
    if not chosen:
        smallest = min(units, key=lambda unit: unit.size_bytes)
        raise ValueError(
            f"data.source.max_megabytes={config.max_megabytes:g} has no room for the smallest unit, {smallest.name} "
            f"with {smallest.size_bytes / 1e6:.3g} MB; raise it, or give smaller files"
        )
    return chosen
