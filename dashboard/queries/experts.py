"""Which experts were chosen: over a run's steps, and by the tokens of each task, kind and source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.queries.curves import still_standing
from dashboard.queries.files import READ_ERRORS, Broken, parse, read_record, reason
from dashboard.queries.folders import Marks, find, folder_at, marks
from dashboard.queries.lines import sample_lines
from dashboard.queries.scores import EXPERTS, ScoreEntry
from glam.records import ExpertLoad, ExpertSpecialization

FILE, SPECIALIZATION = "experts.jsonl", "specialization.json"
MAX_STEPS = 400
MAX_EXPERTS = 65_536
"""Of all layers together."""
MAX_GROUPS = 256
"""Kinds of token, or sources."""
END_FRACTION = 0.1
"""Of the steps: what the end of training means."""
DEAD_BELOW, OVERLOADED_ABOVE = 0.1, 4.0
"""Of a layer's mean load, over the end of training."""


@dataclass(frozen=True)
class Loads:
    """S logged steps, taken evenly, of L mixture layers of E experts."""

    step_S: NDArray[np.float64]
    load_SLE: NDArray[np.float64]
    """Choices that reached each expert."""
    problem: str = ""

    @property
    def over_mean_SLE(self) -> NDArray[np.float64]:
        """Over the mean load of the layer at that step: 1 is balanced; NaN where nothing was chosen."""
        mean = self.load_SLE.mean(axis=2, keepdims=True)
        return np.divide(self.load_SLE, mean, out=np.full_like(self.load_SLE, np.nan), where=mean > 0)

    @property
    def at_end_LE(self) -> NDArray[np.float64]:
        """The same over the end of training, all its steps taken together."""
        load_LE = self.load_SLE[self.step_S > (1 - END_FRACTION) * self.step_S[-1]].sum(axis=0)
        mean = load_LE.mean(axis=1, keepdims=True)
        return np.divide(load_LE, mean, out=np.full_like(load_LE, np.nan), where=mean > 0)


@dataclass(frozen=True)
class Alarm:
    """An expert that the end of training leaves idle, or floods."""

    layer: int
    """Of the mixture layers, the first is 1; as the expert."""
    expert: int
    over_mean: float

    @property
    def sentence(self) -> str:
        kind = "dead" if self.over_mean < DEAD_BELOW else "overloaded"
        return (
            f"Expert {self.expert} of mixture layer {self.layer} is {kind}: {self.over_mean:.2f} times the mean load."
        )


@dataclass(frozen=True)
class Shares:
    """G groups of tokens, and of the choices of each the share of each expert in its layer."""

    names: tuple[str, ...]
    num_tokens_G: NDArray[np.int64]
    share_GLE: NDArray[np.float64]


@dataclass(frozen=True)
class Specialization:
    """Who takes what of held-out text at the end of training."""

    num_tokens: int
    kinds: Shares
    sources: Shares


NOTHING = Loads(np.empty(0), np.empty((0, 0, 0)))


def read_loads(root: Path, fingerprint: str) -> Loads:
    """Of a run, open or complete; no steps for a dense one."""
    folder = find(root, "runs", fingerprint)
    return NOTHING if folder is None else _loads(str(folder.path), marks(folder, (FILE,))[1:])


def has_loads(root: Path, fingerprint: str) -> bool:
    """Whether a run has logged the load of experts."""
    folder = find(root, "runs", fingerprint)
    path = None if folder is None else folder.path / FILE
    return path is not None and path.exists() and path.stat().st_size > 0  # of a dense run it is empty


def alarms(loads: Loads) -> Iterator[Alarm]:
    """Dead and overloaded experts, layer by layer."""
    if not len(loads.step_S):
        return
    for layer, row in enumerate(loads.at_end_LE, start=1):
        for expert, over_mean in enumerate(row, start=1):
            if over_mean < DEAD_BELOW or over_mean > OVERLOADED_ABOVE:
                yield Alarm(layer, expert, float(over_mean))


def task_shares(score: ScoreEntry) -> NDArray[np.float64] | str | None:
    """[L, E] of the choices of a task's tokens, the share of each expert in its layer; None: not counted, as of a dense
    model; a text says why it cannot be read.
    """
    return None if score.version[-1] is None else _task_shares(score.folder, score.version)


def read_specialization(root: Path, fingerprint: str) -> Specialization | str | None:
    """Of a run; None: not counted, as of one that goes on; a text says why it cannot be read."""
    folder = find(root, "runs", fingerprint)
    if folder is None or (version := marks(folder, (SPECIALIZATION,))[1:]) == (None,):
        return None
    return _specialization(str(folder.path), version)


@lru_cache(maxsize=64)
def _loads(path: str, version: Marks) -> Loads:
    if version == (None,):
        return NOTHING
    try:
        lines = sample_lines(folder_at(path).path / FILE, MAX_STEPS)
        records = [ExpertLoad.model_validate(parse(line)) for _, line in lines]
        if not records:
            return NOTHING
        load_SLE = _loads_of([record.load_LE for record in records])
    except READ_ERRORS as error:
        return Loads(NOTHING.step_S, NOTHING.load_SLE, f"{FILE}: {reason(error)}")
    step_S = np.array([record.step for record in records], dtype=np.float64)
    places = still_standing(step_S)
    return Loads(step_S[places], load_SLE[places])


@lru_cache(maxsize=4_096)
def _task_shares(path: str, version: Marks) -> NDArray[np.float64] | str:  # noqa: ARG001 - a key of the cache
    try:
        return _shares_of(_loads_of([read_record(folder_at(path).path / EXPERTS, ExpertLoad).load_LE])[0])
    except READ_ERRORS as error:
        return reason(error)


@lru_cache(maxsize=64)
def _specialization(path: str, version: Marks) -> Specialization | str:  # noqa: ARG001 - a key of the cache
    try:
        found = read_record(folder_at(path).path / SPECIALIZATION, ExpertSpecialization)
        load_KLE, load_SLE = (_loads_by_group(each) for each in (found.by_kind, found.by_source))
        if found.num_tokens < 1 or not np.array_equal(load_KLE.sum(axis=0), load_SLE.sum(axis=0)):
            raise Broken("kinds and sources do not count the same tokens")
    except READ_ERRORS as error:
        return reason(error)
    return Specialization(
        found.num_tokens,
        _group_shares(found.by_kind, load_KLE, found.num_tokens),
        _group_shares(found.by_source, load_SLE, found.num_tokens),
    )


def _loads_by_group(loads: Mapping[str, tuple[tuple[int, ...], ...]]) -> NDArray[np.float64]:
    """[G, L, E]. Raises Broken as `_loads_of` does, and where a group has no tokens or there are too many groups."""
    if not 0 < len(loads) <= MAX_GROUPS:
        raise Broken(f"{len(loads):,} groups of tokens, not 1 to {MAX_GROUPS}")
    load_GLE = _loads_of(list(loads.values()))
    if (load_GLE < 0).any() or not load_GLE.sum(axis=2).all():
        raise Broken("a group of tokens has made no choice, or fewer than none")
    return load_GLE


def _group_shares(names: Mapping[str, object], load_GLE: NDArray[np.float64], num_tokens: int) -> Shares:
    """Every token makes as many choices, so tokens are to tokens as choices are to choices."""
    choices_G = load_GLE.sum(axis=(1, 2))
    num_tokens_G = np.rint(num_tokens * choices_G / choices_G.sum()).astype(np.int64)
    return Shares(tuple(names), num_tokens_G, _shares_of(load_GLE))


def _shares_of(load: NDArray[np.float64]) -> NDArray[np.float64]:
    """[..., L, E]: of a layer's choices; NaN where there were none."""
    total = load.sum(axis=-1, keepdims=True)
    return np.divide(load, total, out=np.full_like(load, np.nan), where=total > 0)


def _loads_of(rows: list[tuple[tuple[int, ...], ...]]) -> NDArray[np.float64]:
    """[S, L, E]. Raises Broken where layers differ in their experts, or rows (steps, groups) in their layers."""
    shapes = {tuple(len(layer) for layer in row) for row in rows}
    (sizes, *others) = shapes
    if others or len(set(sizes)) != 1 or not 0 < sum(sizes) <= MAX_EXPERTS:
        raise Broken("layers and experts are not the same throughout")
    return np.array(rows, dtype=np.float64)
