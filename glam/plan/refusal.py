"""Why a run cannot be laid out on a cluster, and the smallest change with which it can."""

from dataclasses import dataclass, replace
from typing import Literal

from glam.plan.job import Job
from glam.plan.layout import Layout
from glam.plan.search import Choice, Wish, fastest, least

MOST_DEVICES = 1 << 16
"""Up to which more devices are proposed."""
GB = 1e9


@dataclass(frozen=True)
class Change:
    """What would make a run fit, to be handed to `make_plan`."""

    what: Literal["micro_batch_rows", "recompute", "layout", "num_devices"]
    value: int | bool | Layout
    layout: Layout
    """That fits then."""

    def __str__(self) -> str:
        if self.what == "num_devices":
            return f"{self.value:,} devices ({self.layout})"
        return {"micro_batch_rows": f"micro_batch_size={self.value}", "recompute": "recompute_activations=true"}.get(
            self.what, f"layout {self.layout}"
        )


class ImpossibleError(ValueError):
    """The model does not fit; the message says by how many bytes and what is the smallest change that helps."""

    def __init__(self, message: str, missing_bytes: float, change: Change | None):
        super().__init__(message)
        self.missing_bytes = missing_bytes
        self.change = change
        """None: no number of devices up to MOST_DEVICES helps."""


def impossible(wish: Wish) -> ValueError:
    """The refusal of what `fastest` found no room for."""
    nearest = least(wish)
    if nearest is None:
        return ValueError(
            f"no layout of {wish.cluster.num_devices:,} devices takes a batch of {wish.train.global_batch_size:,} rows "
            f"of this model: raise the batch, or take fewer devices"
        )
    job, held = nearest
    change = _smallest_change(wish)
    advice = f"it would fit with {change}" if change else f"nor would it on {MOST_DEVICES:,} of them"
    return ImpossibleError(
        f"{_named(job)} needs {held.peak / GB:,.2f} GB a device, {held.missing / GB:,.2f} GB more than the "
        f"{held.usable / GB:,.2f} GB of {wish.cluster.device.title} that can be used; {advice}",
        held.missing,
        change,
    )


def _smallest_change(wish: Wish) -> Change | None:
    """The first that helps of: fewer rows at a time, recomputation, another layout, more devices."""
    free = replace(wish, layout=None, micro_rows=None, recompute=None)
    if wish.micro_rows is not None and (fits := _fits(replace(wish, micro_rows=None))):
        return Change("micro_batch_rows", fits.job.micro_rows, fits.job.layout)
    if wish.recompute is False and (fits := _fits(replace(wish, recompute=True))):
        return Change("recompute", True, fits.job.layout)
    if wish.layout is not None and (fits := _fits(free)):
        return Change("layout", fits.job.layout, fits.job.layout)
    num_devices = wish.cluster.num_devices
    while (num_devices := 2 * num_devices) <= MOST_DEVICES:
        if fits := _fits(replace(free, cluster=wish.cluster.of(num_devices))):
            return Change("num_devices", num_devices, fits.job.layout)
    return None


def _fits(wish: Wish) -> Choice | None:
    ours, other = fastest(wish)
    return ours or other


def _named(job: Job) -> str:
    again = ", recomputing" if job.recompute else ""
    return f"layout {job.layout} with {job.micro_rows:,} rows at a time{again}"
