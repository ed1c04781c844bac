"""Curves of runs: steps and held-out points as columns, thinned to what a chart can show."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dashboard.queries.files import READ_ERRORS, reason
from dashboard.queries.folders import Marks, find, folder_at, marks
from dashboard.queries.lines import Columns, read_numbers
from dashboard.queries.runs import STEPS

MAX_POINTS = 2_000
HELDOUT = "heldout.jsonl"
COSTS = ("step", "tokens", "elapsed_seconds", "energy_joules")
REQUIRED = ("step", "tokens", "loss", "elapsed_seconds")
STEP_FIELDS = (
    *COSTS,
    "loss",
    "balance_loss",
    "grad_norm",
    "learning_rate",
    "load_imbalance",
    "dropped_fraction",
    "router_entropy",
    "skipped_steps",
    "tokens_per_second",
    "mfu",
)
HELDOUT_FIELDS = (*COSTS, "loss")


@dataclass(frozen=True)
class Curve:
    """Columns by field, NaN where unknown, in the order of steps; to be read only."""

    columns: Mapping[str, NDArray[np.float64]]
    num_lines: int
    """That were there before thinning."""
    problem: str = ""
    """Why it cannot be read."""


@dataclass(frozen=True)
class Curves:
    """Of one run."""

    steps: Curve
    heldout: Curve

    @property
    def problem(self) -> str:
        """Why something cannot be shown; empty where all can."""
        return self.steps.problem or self.heldout.problem


NOTHING = Curve({}, 0)


def read_curves(root: Path, fingerprint: str) -> Curves:
    """Curves of a run, open or complete."""
    folder = find(root, "runs", fingerprint)
    if folder is None:
        return Curves(NOTHING, NOTHING)
    # The manifest is not among what the curves depend on.
    return Curves(*(_curve(str(folder.path), name, marks(folder, (name,))[1:]) for name in (STEPS, HELDOUT)))


@lru_cache(maxsize=512)
def _curve(path: str, name: str, version: Marks) -> Curve:
    if version == (None,):
        return NOTHING
    fields = STEP_FIELDS if name == STEPS else HELDOUT_FIELDS
    try:
        table = read_numbers(folder_at(path).path / name, fields, required=REQUIRED, most_lines=MAX_POINTS)
    except READ_ERRORS as error:
        return Curve({}, 0, reason(error))
    places = still_standing(table.columns["step"])
    return Curve(take(table.columns, places[thinned(len(places))]), table.num_lines)


def still_standing(step: NDArray[np.float64]) -> NDArray[np.intp]:
    """Places of the lines after which no line has their step or an earlier one: training that went back, after an
    interruption or by itself, writes its steps again.
    """
    later = np.minimum.accumulate(np.append(step[1:], np.inf)[::-1])[::-1]
    return np.flatnonzero(step < later)


def thinned(count: int, most: int = MAX_POINTS) -> NDArray[np.intp]:
    """Places of at most so many of them, evenly, the first and the last always."""
    if count <= most:
        return np.arange(count)
    return np.round(np.linspace(0, count - 1, most)).astype(np.intp)


def take(columns: Mapping[str, NDArray[np.float64]], places: NDArray[np.intp]) -> Columns:
    """The same columns at these places."""
    return {name: values[places] for name, values in columns.items()}
