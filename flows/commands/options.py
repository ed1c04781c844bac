"""Options that several commands share."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from glam.store import Store

WIDTH_WITHOUT_TERMINAL = 140

Recipe = Annotated[str, typer.Argument(help="A recipe; `glam recipes` lists them.", show_default=True)]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Override a field of the recipe; repeatable."),
]
StorePath = Annotated[
    Path | None, typer.Option("--store", help="Where results live; default GLAM_STORE or ./.glam.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; everything else on stderr.")]
Workers = Annotated[int, typer.Option(help="Data-parallel training workers.", min=1)]
Threads = Annotated[int, typer.Option(help="Threads of each training worker.", min=1)]


RunSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--run",
        metavar="KEY=VALUE",
        help="How training runs: layout=sharded, expert_parallel=2, micro_batch_size=4, max_minutes=30, "
        "save_every=100, ...; repeatable.",
    ),
]


def open_store(path: Path | None) -> Store:
    """The store at `path`, or the default one."""
    return Store(path) if path is not None else Store.default()


def console() -> Console:
    """Where tables go: as wide as the terminal, or wide enough for any name where there is none."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(value, sys.stdout, indent=1, sort_keys=True, default=str)
    sys.stdout.write("\n")
