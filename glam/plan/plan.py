"""A plan: what training a model on so many tokens would take on a cluster.

For example `make_plan(VARIANTS["glam_64b_64e"], train, 600e9, CLUSTERS["glam"])`.
"""

from glam.config import ModelConfig, TrainConfig
from glam.energy.account import co2e_kilograms, megawatt_hours
from glam.plan.clusters import Cluster
from glam.plan.layout import Layout, why_not, why_not_runnable
from glam.plan.memory import Memory, generation_cache_bytes
from glam.plan.notes import assumptions, warnings
from glam.plan.refusal import impossible
from glam.plan.search import Choice, Wish, fastest
from glam.plan.step_time import StepTime
from glam.records import Record


class Plan(Record):
    """What a run would take. None is unknown."""

    cluster: str
    device: str
    num_devices: int
    model: ModelConfig
    optimizer: str
    precision: str
    total_params: int
    active_params: int
    tokens: float
    batch_tokens: int
    num_steps: float
    layout: Layout
    runnable: bool
    """Whether `glam train` has this layout."""
    micro_batch_rows: int
    recompute_activations: bool
    memory: Memory
    """Of one device."""
    generation_cache_bytes_per_row: float
    step: StepTime
    tokens_per_second: float
    mfu: float
    hours: float
    watts_per_device: float | None
    machine_mwh: float | None
    site_mwh: float | None
    """With what the site takes besides; None where its PUE is unknown."""
    tonnes_co2e: float | None
    price: float | None
    faster_elsewhere: Layout | None
    """A layout that `glam train` has not, where it would be faster than this one."""
    faster_elsewhere_seconds: float | None
    """A step with it."""
    warnings: tuple[str, ...]
    assumptions: tuple[str, ...]


def make_plan(
    model: ModelConfig,
    train: TrainConfig,
    tokens: float,
    cluster: Cluster,
    layout: Layout | None = None,
    *,
    micro_batch_rows: int | None = None,
    recompute: bool | None = None,
) -> Plan:
    """The fastest plan that fits, of what is given as None; layouts that `glam train` has come before all others.

    Raises ImpossibleError where nothing fits, ValueError for a layout that does not exist here or a peak that no
    source gives.
    """
    if layout is not None:
        if layout.num_devices != cluster.num_devices:
            raise ValueError(f"layout {layout} is of {layout.num_devices:,} devices, not of {cluster.num_devices:,}")
        if reason := why_not(layout, model, train.global_batch_size):
            raise ValueError(f"layout {layout}: {reason}")
    wish = Wish(model, train, cluster, layout, micro_batch_rows, recompute)
    ours, other = fastest(wish)
    chosen = ours or other
    if chosen is None:
        raise impossible(wish)
    faster = other if ours is not None and other is not None and other.time.seconds < ours.time.seconds else None
    return _plan(wish, tokens, chosen, faster)


def _plan(wish: Wish, tokens: float, chosen: Choice, faster: Choice | None) -> Plan:
    cluster, counts = wish.cluster, wish.counts
    batch_tokens = wish.train.global_batch_size * wish.model.sequence_length
    seconds = tokens / batch_tokens * chosen.time.seconds
    watts = cluster.device.watts
    joules = None if watts is None else watts * cluster.num_devices * seconds
    site = megawatt_hours(joules, pue=cluster.pue)
    kilograms_per_mwh = None if cluster.grid_tonnes_per_mwh is None else 1000 * cluster.grid_tonnes_per_mwh
    kilograms = co2e_kilograms(site, kilograms_per_mwh)
    hourly = cluster.price_per_device_hour
    return Plan(
        cluster=cluster.name,
        device=cluster.device.title,
        num_devices=cluster.num_devices,
        model=wish.model,
        optimizer=wish.train.optimizer,
        precision=wish.train.precision,
        total_params=counts.total_params,
        active_params=counts.active_params,
        tokens=tokens,
        batch_tokens=batch_tokens,
        num_steps=tokens / batch_tokens,
        layout=chosen.job.layout,
        runnable=why_not_runnable(chosen.job.layout, wish.model) is None,
        micro_batch_rows=chosen.job.micro_rows,
        recompute_activations=chosen.job.recompute,
        memory=chosen.memory,
        generation_cache_bytes_per_row=generation_cache_bytes(chosen.job),
        step=chosen.time,
        tokens_per_second=batch_tokens / chosen.time.seconds,
        mfu=chosen.time.mfu,
        hours=seconds / 3600,
        watts_per_device=watts,
        machine_mwh=megawatt_hours(joules),
        site_mwh=site,
        tonnes_co2e=None if kilograms is None else kilograms / 1000,
        price=None if hourly is None else hourly * cluster.num_devices * seconds / 3600,
        faster_elsewhere=None if faster is None else faster.job.layout,
        faster_elsewhere_seconds=None if faster is None else faster.time.seconds,
        warnings=tuple(warnings(cluster, chosen)),
        assumptions=tuple(assumptions(cluster, chosen)),
    )
