"""How a record's fields are called in MLflow, and how many of its points go there. No MLflow."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from glam.records import HeldoutPoint, StepMetrics

MAX_POINTS = 2_000
"""More than 10,000 points a metric make MLflow's pages slow; the full series is in the store."""

STEP_METRICS: Mapping[str, str] = {
    "loss": "train/loss",
    "grad_norm": "train/grad_norm",
    "learning_rate": "train/learning_rate",
    "tokens": "train/tokens",
    "skipped_steps": "train/skipped_steps",
    "rollbacks": "train/rollbacks",
    "output_z_loss": "train/output_z_loss",
    "balance_loss": "moe/balance_loss",
    "z_loss": "moe/z_loss",
    "load_imbalance": "moe/load_imbalance",
    "dropped_fraction": "moe/dropped_fraction",
    "router_entropy": "moe/router_entropy",
    "elapsed_seconds": "time/elapsed_seconds",
    "tokens_per_second": "time/tokens_per_second",
    "mfu": "time/mfu",
    "energy_joules": "energy/joules",
}
"""Metric by field of StepMetrics; what is unknown is not sent."""

HELDOUT_METRICS: Mapping[str, str] = {"loss": "heldout/loss", "tokens": "heldout/tokens"}


def step_values(record: StepMetrics) -> dict[str, float]:
    """The known numbers of a step by metric."""
    return _values(record, STEP_METRICS)


def heldout_values(record: HeldoutPoint) -> dict[str, float]:
    """The known numbers of a held-out point by metric."""
    return _values(record, HELDOUT_METRICS)


class Thinning:
    """Lets at most MAX_POINTS of `num_steps` steps through, evenly, the last one always; never one twice."""

    def __init__(self, num_steps: int, *, after_step: int = 0):
        self._num_steps = num_steps
        self._done_step = after_step
        self._done_bucket = self._bucket(after_step) if after_step else -1

    def __call__(self, records: Iterable[StepMetrics]) -> Iterator[StepMetrics]:
        for record in records:
            bucket = self._bucket(record.step)
            if record.step > self._done_step and bucket > self._done_bucket:
                self._done_step, self._done_bucket = record.step, bucket
                yield record

    def _bucket(self, step: int) -> int:
        # The last step has a bucket of its own.
        return step * (MAX_POINTS - 1) // self._num_steps


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested fields by dotted path, as text."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        path = f"{prefix}{key}"
        flat |= flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: str(value)}
    return flat


def _values(record: StepMetrics | HeldoutPoint, names: Mapping[str, str]) -> dict[str, float]:
    known = {metric: getattr(record, field) for field, metric in names.items()}
    return {metric: float(value) for metric, value in known.items() if value is not None}
