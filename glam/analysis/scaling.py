"""Scaling fits: held-out loss against training FLOPs, and against the number of experts, over the arms of a study.

A point is the end of a run, one a run: a point on the way has seen another learning rate or is no run of its own, so
none is taken, readable or not. Where sizes are too few for a law it is refused, with the reason.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from glam.analysis.laws import LINE_IN_DOUBLINGS, POWER, POWER_WITH_FLOOR, Law
from glam.analysis.verdict import Parameter, ScalingAxis, ScalingFit, ScalingPoint
from glam.config import Experiment, ModelConfig
from glam.records import RunSummary
from glam.study import Study

SIZE_FIELDS = ("num_layers", "model_dim", "num_heads", "head_dim", "hidden_dim")
EXPERT_FIELDS = ("num_experts", "top_k", "expert_hidden_dim")
"""In which models of one size may differ."""
MIN_DISTINCT = 3
"""Amounts of compute, or numbers of experts: a law of two parameters has one of them over."""
RESOLUTION = 0.01
"""Relative difference up to which two amounts of compute are one."""
AT_BOUND = 1e-3
"""Of a value's size, or of the loss: a parameter so close to its bound is on it."""

Summaries = Mapping[tuple[str, int], RunSummary]
"""By (arm, seed)."""


def scaling_fits(study: Study, summaries: Summaries) -> tuple[ScalingFit, ...]:
    """A law in compute for every family of models, one in experts for every size; nothing for a study of one size."""
    arms = study.arms
    if len({_size(arm.model) for arm in arms.values()}) < 2:
        return ()
    families = _groups(arms, (*SIZE_FIELDS, "expert_hidden_dim"))
    names = [_family(arms[family[0]].model) for family in families]
    sizes = [size for size in _groups(arms, EXPERT_FIELDS) if any(arms[arm].model.num_experts > 1 for arm in size)]
    fits = []
    for name, family in zip(names, families, strict=True):
        runs = [(arm, seed, summaries[arm, seed]) for arm in family for seed in study.seeds_of(arm)]
        points = [_point(arm, seed, run.tokens * run.flops_per_token, run) for arm, seed, run in runs]
        fits.append(fit_compute(name if names.count(name) == 1 else f"{name} ({', '.join(family)})", points))
    for size in sizes:
        runs = [(arm, seed, summaries[arm, seed]) for arm in size for seed in study.seeds_of(arm)]
        points = [_point(arm, seed, arms[arm].model.num_experts, run) for arm, seed, run in runs]
        model = arms[size[0]].model
        fits.append(fit_experts(f"{model.num_layers} layers of width {model.model_dim}", points))
    return tuple(fits)


def fit_compute(group: str, points: Sequence[ScalingPoint]) -> ScalingFit:
    """Loss against training FLOPs: with a floor from four amounts of compute on, of three a power law without one."""
    points = _in_order(points)
    flops = np.array([point.x for point in points])
    num_distinct = 1 + int((np.diff(np.log(flops)) > RESOLUTION).sum())
    without_floor = num_distinct == MIN_DISTINCT
    reference = float(np.exp(np.log(flops).mean()))
    return _fit(
        "flops",
        group,
        points,
        POWER if without_floor else POWER_WITH_FLOOR,
        np.log(flops / reference),
        num_distinct,
        refused=f"{_amounts(num_distinct, 'amount', 'of compute')}: a power law needs at least {MIN_DISTINCT}, one "
        f"with a floor {MIN_DISTINCT + 1}",
        reference_flops=reference,
        notes=("three amounts of compute are too few for a floor E, so there is none: alpha is that of this range",)
        if without_floor
        else (),
    )


def fit_experts(group: str, points: Sequence[ScalingPoint]) -> ScalingFit:
    """Loss against the number of experts of models of one size, the dense one as 1."""
    points = _in_order(points)
    experts = np.array([point.x for point in points])
    num_distinct = len(set(experts))
    return _fit(
        "experts",
        group,
        points,
        LINE_IN_DOUBLINGS,
        np.log2(experts),
        num_distinct,
        refused=f"{_amounts(num_distinct, 'number', 'of experts')}: a line needs at least {MIN_DISTINCT}",
    )


def _fit(
    axis: ScalingAxis,
    group: str,
    points: Sequence[ScalingPoint],
    law: Law,
    x: np.ndarray,
    num_distinct: int,
    *,
    refused: str,
    reference_flops: float | None = None,
    notes: tuple[str, ...] = (),
) -> ScalingFit:
    unknown = [point for point in points if point.loss is None or not np.isfinite(point.loss)]
    fit = ScalingFit(
        axis=axis,
        group=group,
        formula=law.formula,
        points=tuple(points),
        num_distinct=num_distinct,
        reference_flops=reference_flops,
    )
    if unknown:
        return fit.model_copy(update={"reason": f"{unknown[0].arm} seed {unknown[0].seed} has no finite held-out loss"})
    if num_distinct < MIN_DISTINCT:
        return fit.model_copy(update={"reason": refused})
    loss = np.array([point.loss for point in points], dtype=float)
    values = law.fit(x, loss)
    halves = law.half_widths(x, loss, values)
    fitted = law.predict(values, x)
    bounds = [
        name
        for name, value, low, high in zip(law.parameters, values, law.low, law.high, strict=True)
        if value - low < AT_BOUND * (abs(low) or loss.mean()) or high - value < AT_BOUND * abs(value)
    ]
    return fit.model_copy(
        update={
            "parameters": {
                name: Parameter(value=float(value), low=float(max(value - half, low)), high=float(value + half))
                for name, value, half, low in zip(law.parameters, values, halves, law.low, strict=True)
            },
            "points": tuple(
                point.model_copy(update={"fitted": float(one), "residual": float(np.log(point.loss / one))})
                for point, one in zip(points, fitted, strict=True)
            ),
            "notes": (*notes, *(f"{name} is at its bound: these points do not tell it" for name in bounds)),
        }
    )


def _point(arm: str, seed: int, x: float, run: RunSummary) -> ScalingPoint:
    return ScalingPoint(arm=arm, seed=seed, x=x, loss=run.heldout_loss)


def _in_order(points: Sequence[ScalingPoint]) -> list[ScalingPoint]:
    """So that a fit does not depend on the order of arms and seeds."""
    return sorted(points, key=lambda point: (point.x, point.loss or 0.0, point.arm, point.seed))


def _groups(arms: Mapping[str, Experiment], free: Sequence[str]) -> list[list[str]]:
    """Arms whose models differ in nothing but `free` fields, and whose data not at all."""
    groups: dict[object, list[str]] = {}
    for name, arm in arms.items():
        fixed = tuple((field, value) for field, value in arm.model if field not in free)
        groups.setdefault((fixed, arm.data), []).append(name)
    return list(groups.values())


def _size(model: ModelConfig) -> tuple[int, ...]:
    return tuple(getattr(model, field) for field in SIZE_FIELDS)


def _family(model: ModelConfig) -> str:
    return "dense" if model.num_experts == 1 else f"{model.num_experts} experts"


def _amounts(number: int, noun: str, of: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'} {of}"
