"""`glam bench`: how fast and how large our code is beside others doing the same."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Annotated

import typer
from rich.table import Column, Table

from flows.commands.options import AsJson, console, print_json

BENCHES: Mapping[str, str] = {
    "model": "glam.bench.model.races",
    "data": "glam.bench.data.races",
    "train": "workers.bench.races",
    "evaluate": "workers.bench.judging_races",
    "dashboard": "workers.bench.viewing_races",
    "energy": "glam.bench.energy.races",
}
"""Modules with a function `races`; imported when chosen."""

ROUNDS = 7


def add_to(app: typer.Typer) -> None:
    """Puts this command on the command line."""
    app.command()(bench)


def bench(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(BENCHES)}.")],
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Rows whose name fits, as in `training_step/*`.")] = "*",
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contestant; medians are taken.")] = ROUNDS,
    documents: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Of `data`: a folder with a .jsonl a kind. Default: python_docs."),
    ] = None,
    benchmarks: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Of `evaluate`: files of the tasks, TASK/eval.jsonl and TASK/train.jsonl."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure our code beside others doing the same, on this machine; it should have nothing else to do."""
    if name not in BENCHES:
        raise ValueError(f"unknown bench {name!r}; known: {', '.join(BENCHES)}")
    if documents is not None and name != "data":
        raise ValueError(f"--documents is for `glam bench data`, not {name!r}")
    if benchmarks is not None and name != "evaluate":
        raise ValueError(f"--benchmarks is for `glam bench evaluate`, not {name!r}")
    from glam.bench.machine import environment
    from glam.bench.measure import BenchError
    from glam.bench.rows import run

    try:
        made = import_module(BENCHES[name]).races
        texts = documents if documents is not None else benchmarks
        outcome = run(made() if texts is None else made(texts), only=only, rounds=rounds, log=_log)
    except BenchError as error:
        _log(f"glam: {error}")
        raise typer.Exit(1) from error
    facts = {**environment(), "rounds": rounds, "other_experts": outcome.chosen}
    if as_json:
        print_json({"environment": facts, "rows": [asdict(row) for row in outcome.rows]})
        return
    numbers = [Column(heading, justify="right") for heading in ("ours", "other", "ratio", "goal")]
    table = Table("row", "unit", *numbers, "", box=None)
    for row in outcome.rows:
        goal = "" if row.goal is None else f"{row.goal:.2f}"
        short = row.goal is not None and row.ratio < row.goal
        values = (f"{value:,.0f}" if value >= 100 else f"{value:.4g}" for value in (row.ours, row.other))
        table.add_row(row.name, row.unit, *values, f"{row.ratio:.2f}", goal, "short" if short else "")
    console().print(table)
    for key, value in facts.items():
        typer.echo(f"{key}: {value}", err=True)


def _log(line: str) -> None:
    typer.echo(line, err=True)
