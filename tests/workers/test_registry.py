"""Which version gets which alias."""

import pytest

from glam.records import RunSummary
from workers.registry import aliases


def summary(arm: str, seed: int, loss: float | None) -> RunSummary:
    return RunSummary(
        arm=arm,
        seed=seed,
        run_fingerprint="0" * 16,
        total_params=1,
        active_params=1,
        flops_per_token=1.0,
        tokens=1,
        train_loss=1.0,
        heldout_loss=loss,
        elapsed_seconds=1.0,
        tokens_per_second=1.0,
        energy_joules=None,
        energy_method="none",
        num_workers=1,
        threads_per_worker=1,
    )


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((3.0, 2.0, 2.5, 4.0), [[], ["sparse", "best"], ["dense"], []]),
        ((2.0, 2.0, 2.0, 2.0), [["sparse", "best"], [], ["dense"], []]),
        ((None, None, None, 5.0), [["sparse"], [], [], ["dense", "best"]]),
        ((None, None, None, None), [["sparse", "best"], [], ["dense"], []]),
    ],
)
def test_the_lowest_held_out_loss_wins_the_first_of_equals_and_unknown_comes_last(losses, expected) -> None:
    runs = [("sparse", 0), ("sparse", 1), ("dense", 0), ("dense", 1)]
    assert aliases([summary(*run, loss) for run, loss in zip(runs, losses, strict=True)]) == expected


def test_no_run_has_no_alias() -> None:
    assert aliases([]) == []
