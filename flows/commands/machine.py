"""Commands about this machine: up, down, status, doctor."""

from typing import Annotated

import typer
from rich.table import Column, Table

from flows.commands.options import AsJson, StorePath, console, open_store, print_json
from glam.environment import LOOPBACK
from infra.stack_file import Ports

DEFAULTS = Ports()


def add_to(app: typer.Typer) -> None:
    """Puts these commands on the command line."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(doctor)


def up(
    store: StorePath = None,
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect's pages and API.")] = DEFAULTS.prefect,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow.")] = DEFAULTS.mlflow,
    dashboard_port: Annotated[int, typer.Option(help="Port of the dashboard.")] = DEFAULTS.dashboard,
    serve_port: Annotated[int, typer.Option(help="Port of completions.")] = DEFAULTS.serve,
    ray_port: Annotated[int, typer.Option(help="Port of Ray, which takes the six after it as well.")] = DEFAULTS.ray,
    detach: Annotated[bool, typer.Option("--detach", help="Return once all is up; `glam down` ends it.")] = False,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Which address of this machine the pages listen on.")
    ] = LOOPBACK,
) -> None:
    """Start Prefect, MLflow, the dashboard, completions and Ray, on loopback; Ctrl-C ends them all."""
    from infra.detached import up_detached
    from infra.programs import Site
    from infra.stack import up as start

    root = open_store(store).root
    ports = Ports(prefect=prefect_port, mlflow=mlflow_port, dashboard=dashboard_port, serve=serve_port, ray=ray_port)
    raise typer.Exit(up_detached(Site(root, ports, host)) if detach else start(root, ports, host=host))


def down(store: StorePath = None) -> None:
    """End what `glam up` started over a store, in whichever terminal."""
    from infra.stack_end import down as end

    raise typer.Exit(end(open_store(store).root))


def status(store: StorePath = None, as_json: AsJson = False) -> None:
    """How every program of `glam up` is. Exit code 1 unless all are healthy."""
    from infra.stack_status import status as ask

    root = open_store(store).root
    programs = ask(root)
    if as_json:
        print_json([program.model_dump(mode="json") for program in programs])
    elif not programs:
        typer.echo(f"nothing is up over {root}")
    else:
        table = Table(
            "program", "", "pid", "address", "since", Column("restarts", justify="right"), "last word", box=None
        )
        for each in programs:
            since = f"{each.since.astimezone():%Y-%m-%d %H:%M:%S}" if each.since is not None else "-"
            pid = str(each.pid) if each.pid is not None else "-"
            row = (each.name, each.health, pid, each.address or "-", since, str(each.restarts), each.last_line or "")
            table.add_row(*row)
        console().print(table)
    raise typer.Exit(0 if programs and all(each.health == "healthy" for each in programs) else 1)


def doctor(store: StorePath = None, as_json: AsJson = False) -> None:
    """What this machine has, and what is wrong with it. Exit code 1 when something is."""
    from infra.doctor import examine

    findings = examine(open_store(store).root)
    if as_json:
        print_json([finding.model_dump(mode="json") for finding in findings])
    else:
        table = Table("", "what", "value", "advice", box=None)
        for finding in findings:
            table.add_row(finding.status, finding.name, finding.value, finding.advice or "")
        console().print(table)
    if any(finding.status == "bad" for finding in findings):
        raise typer.Exit(1)
