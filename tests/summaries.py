"""Summaries of runs that never ran."""

from typing import Any

from glam.records import RunSummary


def run_summary(arm: str, seed: int, fingerprint: str, **told: Any) -> RunSummary:
    """Of a run of no interest but for what is told of it."""
    return RunSummary(
        arm=arm,
        seed=seed,
        run_fingerprint=fingerprint,
        **{
            "total_params": 1,
            "active_params": 1,
            "flops_per_token": 1.0,
            "tokens": 1,
            "train_loss": 1.0,
            "heldout_loss": None,
            "elapsed_seconds": 1.0,
            "tokens_per_second": 1.0,
            "energy_joules": None,
            "energy_method": "none",
            "num_workers": 1,
            "threads_per_worker": 1,
            **told,
        },
    )
