"""The scores of one checkpoint in the terminal."""

import io

from rich.console import Console

from glam.analysis.score_table import print_scores
from glam.records import EvalResult, ScoreInterval


def printed(result: EvalResult) -> str:
    out = io.StringIO()
    print_scores([result], [], Console(file=out, width=140))
    return out.getvalue()


def test_a_further_metric_that_counts_has_a_row_with_its_interval() -> None:
    interval = ScoreInterval(standard_error=0.1, low=0.2, high=0.6)
    result = EvalResult(
        task="squad_v2",
        num_shots=1,
        metric="f1",
        value=0.5,
        num_examples=10,
        others={"f1": 0.5, "exact_match": 0.4},
        intervals={"exact_match": interval},
        counted=("exact_match",),
    )
    row = next(line for line in printed(result).splitlines() if "exact_match" in line)
    assert "40.0 %" in row
    assert "20.0 % to 60.0 %" in row


def test_where_every_item_is_too_long_it_is_unknown() -> None:
    result = EvalResult(
        task="squad_v2",
        num_shots=1,
        metric="f1",
        value=None,
        num_examples=0,
        num_too_long=3,
        counted=("exact_match",),
    )
    row = next(line for line in printed(result).splitlines() if "exact_match" in line)
    assert "unknown" in row
