"""Command: serve."""

from typing import Annotated

import typer

from flows.commands.options import StorePath, open_store
from glam.environment import LOOPBACK
from infra.ports import is_loopback
from infra.stack_file import Ports

DEFAULT_PORT = Ports().serve


def add_to(app: typer.Typer) -> None:
    """Puts the command on the command line."""
    app.command()(serve)


def serve(
    store: StorePath = None,
    port: Annotated[int, typer.Option(help="Where it listens.", min=1, max=65535)] = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="Which address of this machine it listens on.")] = LOOPBACK,
) -> None:
    """Complete text with the runs of a store, over HTTP (docs/stack.md); Ctrl-C ends it. Part of `glam up`."""
    from workers.serve import serve as answer

    opened = open_store(store)
    typer.echo(f"Completions of {opened.root} at http://{host}:{port}")
    if not is_loopback(host):
        typer.echo(f"WARNING: whoever reaches {host} can ask for completions; there is no password.", err=True)
    answer(opened, port=port, host=host)
