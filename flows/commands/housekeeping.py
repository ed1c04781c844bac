"""`glam store`: what is there, what it takes, what may go."""

from collections import Counter

import typer
from rich.filesize import decimal
from rich.table import Table

from flows.commands.options import AsJson, StorePath, console, open_store, print_json
from glam.store import housekeeping

app = typer.Typer(help="What the store holds, what it takes, what may go.", no_args_is_help=True)


@app.command("ls")
def list_folders(store: StorePath = None, as_json: AsJson = False) -> None:
    """Every folder with its state and size."""
    entries = list(housekeeping.entries(open_store(store)))
    if as_json:
        print_json(
            [
                {
                    **entry.reference.model_dump(),
                    "state": entry.state,
                    "size_bytes": entry.size_bytes,
                    "ended": entry.ended,
                    "pinned": entry.pinned,
                }
                for entry in entries
            ]
        )
        return
    table = Table("folder", "state", "size", "ended", "pinned", box=None)
    for entry in entries:
        ended = f"{entry.ended:%Y-%m-%d %H:%M}" if entry.ended else ""
        table.add_row(
            str(entry.reference), entry.state, decimal(entry.size_bytes), ended, "pinned" if entry.pinned else ""
        )
    console().print(table)


@app.command("du")
def disk_use(store: StorePath = None, as_json: AsJson = False) -> None:
    """Bytes by kind of folder."""
    sizes = Counter[str]()
    for entry in housekeeping.entries(open_store(store)):
        sizes[entry.reference.kind] += entry.size_bytes
    if as_json:
        print_json(dict(sizes))
        return
    table = Table("kind", "size", box=None)
    for kind, size in sizes.most_common():
        table.add_row(kind, decimal(size))
    table.add_row("all", decimal(sizes.total()))
    console().print(table)


@app.command("gc")
def collect(
    store: StorePath = None,
    yes: bool = typer.Option(False, "--yes", help="Remove them; without it they are only listed."),
    as_json: AsJson = False,
) -> None:
    """Folders that no verdict and no pin needs."""
    opened = open_store(store)
    names = [str(folder.reference) for folder in housekeeping.unneeded(opened)]
    freed = housekeeping.collect(opened) if yes else None
    if as_json:
        print_json({"folders": names, "freed_bytes": freed})
        return
    for name in names:
        typer.echo(name)
    if freed is not None:
        typer.echo(f"freed {decimal(freed)}")
    else:
        typer.echo(f"{len(names)} folders may go; --yes removes them" if names else "nothing may go")


@app.command("pin")
def pin(name: str, store: StorePath = None, remove: bool = typer.Option(False, help="Take the pin off again.")) -> None:
    """Keep a folder (its name or fingerprint) and all it was made from."""
    reference = housekeeping.pin(open_store(store), name, pinned=not remove)
    typer.echo(f"{reference} is {'no longer ' if remove else ''}pinned")
