"""`glam sync`: what the store has and MLflow has not, for instance because MLflow was down."""

from typing import Annotated

import typer

from flows.commands.options import AsJson, StorePath, open_store, print_json


def add_to(app: typer.Typer) -> None:
    """Puts this command on the command line."""
    app.command()(sync)


def sync(
    recipe: Annotated[str | None, typer.Argument(help="A study by name; default: all that were run.")] = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Bring what is complete in the store into MLflow, as far as it is not there. Exit code 1 where MLflow fails."""
    # MLflow takes seconds to import.
    from workers.live import FAILURES
    from workers.studies import remembered, title
    from workers.sync import sync as bring
    from workers.tracking import Tracker, tracking_address, without_passwords

    opened = open_store(store)
    studies = [
        (study, stages)
        for study, stages in remembered(opened, recipe)
        if any(stage.find(opened) is not None for stage in stages)
    ]
    if recipe is not None and not studies:
        raise ValueError(f"{opened.root} has nothing of a study named {recipe!r}")
    brought: list[str] = []
    failed = 0
    for study, stages in studies:
        try:
            brought += bring(study, stages, opened, Tracker.open(opened.root, study.name))
        except FAILURES as error:
            failed += 1
            words = f"MLflow at {tracking_address(opened.root)} fails: {' '.join(str(error).split())}"
            typer.echo(f"glam: {title(study, stages)}: {without_passwords(words)}", err=True)
    if as_json:
        print_json({"brought": brought})
    else:
        nothing = "nothing could be brought" if failed else "MLflow has everything"
        typer.echo("\n".join(f"brought {name}" for name in brought) or nothing)
    if failed:
        raise typer.Exit(1)
