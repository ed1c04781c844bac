"""Speed-ups and laws as people read them."""

from collections.abc import Sequence

from glam.analysis.curves import COST_WORDS, Axis
from glam.analysis.formats import UNKNOWN
from glam.analysis.verdict import AxisComparison, ScalingFit, Speedup


def speedup(found: Speedup | None) -> str:
    """`1.42 × [1.20, 1.70]`; a bound alone, `> 4.00 ×`, where the value is unknown and that is not."""
    if found is None:
        return UNKNOWN
    if found.value is None:
        bound = _bound(found)
        return UNKNOWN if bound is None else f"{bound} ×"
    return f"{found.value:.2f} ×{_ends(found)}{', extrapolated' if found.extrapolated else ''}"


def speedup_finding(first: str, second: str, axes: Sequence[AxisComparison]) -> str | None:
    """What the second arm needs to reach the first one's final loss, along every axis where that is known."""
    known: list[tuple[Axis, Speedup]] = [
        (axis.axis, axis.speedup) for axis in axes if axis.speedup is not None and _readable(axis.speedup)
    ]
    if not known:
        return None
    costs = []
    for axis, found in known:
        bound = {"<": "less than ", ">": "more than "}[(_bound(found) or ">")[0]] if found.value is None else ""
        value = next(each for each in (found.value, found.at_least, found.at_most) if each is not None)
        costs.append(f"{bound}{value:.2f} times{_ends(found)} the {COST_WORDS[axis]}")
    fitted = [COST_WORDS[axis] for axis, found in known if found.extrapolated]
    some = f"{' and '.join(fitted)} " if len(fitted) < len(known) else ""
    law = f"; {some}by a power law that continues its curve" if fitted else ""
    speaks_of = _speaks_of(next((found for _, found in known if found.value is not None), None))
    return f"To reach {first}'s final held-out loss, {second} needs {', '.join(costs)}{law}{speaks_of}."


def law_values(fit: ScalingFit) -> str:
    """`alpha = 0.152 [0.101, 0.203]` of every parameter; why there are none, where the law was refused."""
    if fit.reason:
        return f"refused: {fit.reason}"
    values = [f"{name} = {each.value:.3g} [{each.low:.3g}, {each.high:.3g}]" for name, each in fit.parameters.items()]
    if fit.reference_flops is not None:
        values.append(f"C0 = {fit.reference_flops:.3g} FLOPs")
    return ", ".join(values)


def largest_residual(fit: ScalingFit) -> str:
    """Of the losses, relative to the law."""
    residuals = [abs(point.residual) for point in fit.points if point.residual is not None]
    return f"{100 * max(residuals):.2g} %" if residuals else UNKNOWN


def _readable(found: Speedup) -> bool:
    return found.value is not None or _bound(found) is not None


def _bound(found: Speedup) -> str | None:
    if found.at_least is not None:
        return f"> {found.at_least:.2f}"
    return None if found.at_most is None else f"< {found.at_most:.2f}"


def _ends(found: Speedup) -> str:
    """The interval, of which an end that is unknown has a bound; nothing where there is none."""
    if found.num_units is None:
        return ""
    low = f"< {found.at_most:.2f}" if found.low is None else f"{found.low:.2f}"
    high = f"> {found.at_least:.2f}" if found.high is None else f"{found.high:.2f}"
    return f" [{low}, {high}]"


def _speaks_of(found: Speedup | None) -> str:
    """What the intervals are over; nothing where no value is known, and so no interval."""
    if found is None:
        return ""
    if found.num_units is None:
        return f"; without an interval, for {found.reason}"
    if found.scope == "training":
        return "; 95 % intervals over held-out units and seeds"
    return "; 95 % intervals over held-out units, of these runs"
