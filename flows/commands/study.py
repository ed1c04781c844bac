"""Commands that take a study along the road: run, prepare, train, evaluate, compare, recipes.

The store is asked before Prefect, Ray or torch are imported, so finding everything done takes a second.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from flows.commands.options import (
    AsJson,
    Recipe,
    Settings,
    StorePath,
    Threads,
    Workers,
    console,
    open_store,
    print_json,
)
from flows.server import local_api
from glam.lineage import Stage, StudyStages, study_stages, why_not_done
from glam.recipes import RECIPES
from glam.recipes import recipe as find_recipe
from glam.store import Store
from glam.study import override
from infra.processors import require_cpus

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say which steps would run, and why.")]


def add_to(app: typer.Typer) -> None:
    """Puts these commands on the command line."""
    app.command()(run)
    for until, summary in (
        ("prepare", "Filter, deduplicate, split, tokenise and pack the recipe's text."),
        ("train", "Prepare, then train and register every arm and seed."),
        ("evaluate", "Train, then score every checkpoint on every task."),
        ("compare", "Evaluate, then judge: the same as `run`."),
    ):
        app.command(until, help=summary)(_until(until))
    app.command()(recipes)


def run(
    recipe: Recipe = "quickstart",
    settings: Settings = None,
    store: StorePath = None,
    workers: Workers = None,
    threads: Threads = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run a study: raw text to a verdict. Prints the verdict; the last line is the path of the report."""
    _go(recipe, settings, store, workers, threads, dry_run, as_json, "compare")


def recipes(as_json: AsJson = False) -> None:
    """What there is to run."""
    studies = {name: make() for name, make in RECIPES.items()}
    if as_json:
        print_json({name: study.model_dump(mode="json") for name, study in studies.items()})
        return
    table = Table("recipe", "what it is", "arms", "seeds", box=None)
    for name, study in studies.items():
        table.add_row(name, study.description, ", ".join(study.arms), str(len(study.seeds)))
    console().print(table)


def _until(until: str) -> Any:
    def command(
        recipe: Recipe = "quickstart",
        settings: Settings = None,
        store: StorePath = None,
        workers: Workers = None,
        threads: Threads = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        _go(recipe, settings, store, workers, threads, dry_run, as_json, until)

    return command


def _go(
    recipe: str,
    settings: list[str] | None,
    store_path: Path | None,
    workers: int | None,
    threads: int | None,
    dry_run: bool,
    as_json: bool,
    until: str,
) -> None:
    store = open_store(store_path)
    study = override(find_recipe(recipe), settings or [])
    stages = study_stages(study)
    wanted = {"prepare": [each for data in stages.data for each in data]}
    wanted["train"] = wanted["prepare"] + [run.stage for run in stages.runs]
    wanted["evaluate"] = wanted["train"] + [score.stage for score in stages.scores]
    wanted["compare"] = [*wanted["evaluate"], stages.verdict]
    if dry_run:
        _show_plan(wanted[until], store, as_json)
        return
    # Everything that a complete verdict was made from may have been collected since; the verdict stands.
    final = [stages.verdict] if until == "compare" else wanted[until]
    if any(stage.find(store) is None for stage in final):
        os.environ["GLAM_STORE"] = str(store.root)
        _run_flow(store, recipe, settings or [], workers or 1, threads or 2, until)
    if until == "compare":
        _show_verdict(stages, store, as_json)
    else:
        _show_plan(wanted[until], store, as_json)


def _run_flow(store: Store, recipe: str, settings: list[str], workers: int, threads: int, until: str) -> None:
    require_cpus(workers * threads)
    with local_api(store.root) as api:
        # Imported while the server starts; both take seconds.
        from flows.experiment import run_experiment

        api.wait()
        run_experiment(recipe=recipe, settings=settings, workers=workers, threads=threads, until=until)  # type: ignore[arg-type]


def _show_plan(stages: list[Stage], store: Store, as_json: bool) -> None:
    rows = []
    for stage in stages:
        done = stage.find(store) is not None
        rows.append({"step": str(stage.reference), "done": done, "why": [] if done else why_not_done(stage, store)})
    if as_json:
        print_json(rows)
        return
    table = Table(Column("step", overflow="fold"), "", "what made the difference", box=None)
    for row in rows:
        table.add_row(row["step"], "done" if row["done"] else "to run", "\n".join(row["why"]))
    console().print(table)


def _show_verdict(stages: StudyStages, store: Store, as_json: bool) -> None:
    from glam.analysis.table import print_verdict
    from glam.analysis.verdict import Verdict

    folder = store.open("verdicts", stages.verdict.reference.fingerprint)
    verdict = Verdict.model_validate(folder.read_json("verdict.json"))
    if as_json:
        print_json({**verdict.model_dump(mode="json"), "report": str(folder.path / "report.html")})
        return
    print_verdict(verdict, console())
    typer.echo(folder.path / "report.html")
