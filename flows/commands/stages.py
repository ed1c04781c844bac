"""Which steps of a study are done, which would run, and what made the difference."""

from collections.abc import Iterable
from typing import TypedDict

from rich.table import Column, Table

from flows.commands.options import console
from glam.lineage import Stage, why_not_done
from glam.store import Store


class StageRow(TypedDict):
    """One step."""

    step: str
    done: bool
    why: list[str]
    """Fields that set it apart from the complete folder most like it."""


def stage_rows(stages: Iterable[Stage], store: Store) -> list[StageRow]:
    """In the order in which the steps run."""
    rows: list[StageRow] = []
    for stage in stages:
        done = stage.find(store) is not None
        rows.append({"step": str(stage.reference), "done": done, "why": [] if done else why_not_done(stage, store)})
    return rows


def print_stages(rows: Iterable[StageRow]) -> None:
    """For people."""
    table = Table(Column("step", overflow="fold"), "", "what made the difference", box=None)
    for row in rows:
        table.add_row(row["step"], "done" if row["done"] else "to run", "\n".join(row["why"]))
    console().print(table)
