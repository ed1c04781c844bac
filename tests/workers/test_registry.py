"""Which version gets which alias."""

import pytest

from tests.summaries import run_summary
from workers.registry import aliases


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
    summaries = [run_summary(*run, "0" * 16, heldout_loss=loss) for run, loss in zip(runs, losses, strict=True)]
    assert aliases(summaries) == expected


def test_no_run_has_no_alias() -> None:
    assert aliases([]) == []
