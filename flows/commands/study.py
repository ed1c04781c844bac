"""Commands that take a study along the road: run, prepare, train, compare, recipes.

The store is asked before Prefect, Ray or torch are imported, so finding everything done takes a second.
"""

import os
from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Table

from flows.commands.classifier import show_classifiers
from flows.commands.options import (
    AsJson,
    Recipe,
    RunSettings,
    Settings,
    StorePath,
    Threads,
    Workers,
    console,
    open_store,
    print_json,
)
from flows.commands.stages import print_stages, stage_rows
from flows.server import local_api
from glam.config import RunOptions
from glam.lineage import Stage, StudyStages, Verb, study_stages
from glam.recipes import RECIPES
from glam.recipes import recipe as find_recipe
from glam.store import Store
from glam.study import override, run_options
from infra.processors import require_cpus

DEFAULTS = RunOptions()

TrainClassifier = Annotated[
    bool, typer.Option("--train-classifier", help="Stop after the quality classifier, and show how good it is.")
]
Profile = Annotated[
    bool, typer.Option("--profile", help="Profile a few steps of each run: a trace, and where a step's time goes.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say which steps would run, and why.")]

SUMMARIES: dict[str, tuple[Verb, str]] = {
    "run": ("compare", "Run a study: raw text to a verdict. The last line is the path of the report."),
    "prepare": ("prepare", "Filter, deduplicate, split, tokenise and pack the recipe's text."),
    "train": ("train", "Prepare, then train and register every arm and seed."),
    "compare": ("compare", "Evaluate, then judge: another word for `run`."),
}


def add_to(app: typer.Typer) -> None:
    """Puts these commands on the command line."""
    for name, (verb, summary) in SUMMARIES.items():
        app.command(name, help=summary)(prepare if verb == "prepare" else command(verb))
    app.command()(recipes)


def prepare(
    recipe: Recipe = "quickstart",
    settings: Settings = None,
    store: StorePath = None,
    workers: Workers = DEFAULTS.num_workers,
    threads: Threads = DEFAULTS.threads_per_worker,
    run_settings: RunSettings = None,
    train_classifier: TrainClassifier = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """The command that may stop in the middle of its verb."""
    run = command("classify" if train_classifier else "prepare")
    run(recipe, settings, store, workers, threads, run_settings, dry_run=dry_run, as_json=as_json)


def recipes(as_json: AsJson = False) -> None:
    """What there is to run."""
    studies = {name: make() for name, make in RECIPES.items()}
    if as_json:
        print_json({name: study.model_dump(mode="json") for name, study in studies.items()})
        return
    table = Table("recipe", "what it is", "arms", "runs", box=None)
    for name, study in studies.items():
        table.add_row(name, study.description, ", ".join(study.arms), str(len(list(study.experiments()))))
    console().print(table)


def command(verb: Verb) -> Callable[..., None]:
    """The command that takes a recipe's study up to and with a verb."""

    def run(
        recipe: Recipe = "quickstart",
        settings: Settings = None,
        store: StorePath = None,
        workers: Workers = DEFAULTS.num_workers,
        threads: Threads = DEFAULTS.threads_per_worker,
        run_settings: RunSettings = None,
        profile: Profile = False,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        opened, changes = open_store(store), settings or []
        how = [*(run_settings or []), *(["profile=true"] if profile else [])]
        run_options(workers, threads, how)  # refused before anything starts
        stages = study_stages(override(find_recipe(recipe), changes))
        wanted = stages.until(verb)
        if dry_run:
            show_stages(wanted, opened, as_json)
            return
        # What a complete verdict was made from may have been collected since; the verdict stands.
        final = [stages.verdict] if verb == "compare" else wanted
        if any(stage.find(opened) is None for stage in final):
            run_flow(opened, recipe, changes, workers, threads, how, verb)
        if verb == "compare":
            _show_verdict(stages, opened, as_json)
        elif verb == "classify":
            show_classifiers([data.classifier for data in stages.data], opened, as_json)
        else:
            show_stages(wanted, opened, as_json)

    return run


def run_flow(
    store: Store,
    recipe: str,
    settings: list[str],
    workers: int,
    threads: int,
    run_settings: list[str],
    until: Verb,
) -> None:
    """The recipe's flow in this process, on a server of its own or the stack's. Raises what ends it."""
    require_cpus(run_options(workers, threads, run_settings).cpus_needed)
    os.environ["GLAM_STORE"] = str(store.root)
    with local_api(store.root) as api:
        # Imported while the server starts; both take seconds.
        from flows import road  # noqa: F401 - the flow would import it when the server has long been there
        from flows.experiment import run_experiment

        api.wait()
        run_experiment(
            recipe=recipe, settings=settings, workers=workers, threads=threads, run_settings=run_settings, until=until
        )


def show_stages(stages: list[Stage], store: Store, as_json: bool) -> None:
    """Which are done, which are to run and why."""
    rows = stage_rows(stages, store)
    if as_json:
        print_json(rows)
    else:
        print_stages(rows)


def _show_verdict(stages: StudyStages, store: Store, as_json: bool) -> None:
    # Half a second of imports that no other command needs.
    from glam.analysis.table import print_verdict
    from glam.analysis.verdict import Verdict

    folder = store.open("verdicts", stages.verdict.reference.fingerprint)
    verdict = Verdict.model_validate(folder.read_json("verdict.json"))
    report = folder.path / "report.html"
    if as_json:
        print_json({**verdict.model_dump(mode="json"), "report": str(report)})
        return
    print_verdict(verdict, console())
    typer.echo(report)
