"""Commands about this machine: up, doctor."""

from typing import Annotated

import typer
from rich.table import Table

from flows.commands.options import AsJson, StorePath, console, open_store, print_json


def add_to(app: typer.Typer) -> None:
    """Puts these commands on the command line."""
    app.command()(up)
    app.command()(doctor)


def up(
    store: StorePath = None,
    prefect_port: Annotated[int, typer.Option(help="Port of Prefect's UI and API.")] = 4200,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow.")] = 5000,
    dashboard_port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8501,
) -> None:
    """Start Prefect, MLflow and the dashboard on loopback; Ctrl-C ends them all."""
    from infra.stack import Ports
    from infra.stack import up as start

    raise typer.Exit(
        start(open_store(store).root, Ports(prefect=prefect_port, mlflow=mlflow_port, dashboard=dashboard_port))
    )


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
