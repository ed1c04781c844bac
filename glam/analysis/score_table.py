"""The scores of one checkpoint, task by task, in the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from glam.analysis.formats import number, percent
from glam.records import EvalResult

Failed = tuple[str, int | None, str]
"""(task, shots, reason)."""


def print_scores(results: Sequence[EvalResult], failed: Sequence[Failed], console: Console) -> None:
    """A row a task and number of shots; a task that failed says why and has no number.

    A further metric that the paper's averages count has a row of its own. `shown` are the demonstrations that stood
    before an item on average: fewer where there are not so many, or no room.
    """
    table = Table(box=None, header_style="", pad_edge=False)
    for name in ("task", "shots", "metric"):
        table.add_column(name)
    for name in ("shown", "value", "95 % interval", "chance", "majority", "bits/byte", "items", "too long"):
        table.add_column(name, justify="right")
    for result in results:
        shown = number if result.metric == "cross_entropy" else percent
        interval = "-" if result.low is None or result.high is None else f"{shown(result.low)} to {shown(result.high)}"
        table.add_row(
            result.task,
            str(result.num_shots),
            result.metric,
            "-" if result.mean_demonstrations is None else f"{result.mean_demonstrations:.1f}",
            shown(result.value),
            interval,
            "-" if result.chance is None else percent(result.chance),
            "-" if result.majority is None else percent(result.majority),
            number(result.bits_per_byte),
            str(result.num_examples),
            str(result.num_too_long),
        )
        for name in result.counted:
            found = result.intervals.get(name)
            ends = "-" if found is None else f"{percent(found.low)} to {percent(found.high)}"
            table.add_row(result.task, str(result.num_shots), name, "", percent(result.others.get(name)), ends)
    for task, shots, _ in failed:
        table.add_row(task, "-" if shots is None else str(shots), "FAILED")
    console.print(table)
    for _, _, reason in failed:
        console.print(reason, style="red", highlight=False, markup=False)
