"""`glam published`: the paper's own table, and beside it what a study in the store took."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from flows.commands.options import AsJson, Settings, StorePath, console, open_store, print_json
from glam.analysis.published_rows import ArmCost, Cell, arm_cost, average_rows, cost_rows
from glam.analysis.published_table import print_pair, print_published
from glam.config import Shots
from glam.energy.grid import GRIDS, GridIntensity, grid_intensity
from glam.evaluation.averages import Average, averages, scores_at
from glam.lineage import StudyStages, study_stages
from glam.published import PUBLISHED_COSTS, AverageOf, Setting
from glam.recipes import RECIPES
from glam.recipes import recipe as find_recipe
from glam.records import EvalResult, Manifest, RunSummary
from glam.store import Folder, Store
from glam.study import override

ArmAverages = dict[tuple[AverageOf, Shots], float]
"""Of one run, by number of shots; in per cent."""
ZERO_OR_ONE: Mapping[Shots, Setting] = {0: "zero", 1: "one"}
PER_CENT = 100


def add_to(app: typer.Typer) -> None:
    """Puts this command on the command line."""
    app.command()(published)


def published(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="Beside it: what the trained arms of this recipe took.")
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(metavar="REGION", help=f"Whose electricity the study used: {', '.join(GRIDS)}."),
    ] = None,
    settings: Settings = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """What GPT-3 and GLaM took to train, and their averages, each number with how sure we are of it."""
    if recipe is None and (grid is not None or settings):
        raise ValueError(f"--grid and --set are for what a study took; name a recipe: {', '.join(RECIPES)}")
    region = None if grid is None else grid_intensity(grid)
    arms: dict[str, ArmCost] = {}
    pairs: list[tuple[str, str]] = []
    if recipe is not None:
        study = override(find_recipe(recipe), settings or [])
        opened = open_store(store)
        arms = _measured(study_stages(study), opened)
        if missing := [arm for arm in study.arms if arm not in arms]:
            typer.echo(f"not trained in {opened.root}: {', '.join(missing)}", err=True)
        if not arms:
            raise ValueError(f"no arm of {recipe!r} is trained in {opened.root}; glam train {recipe}")
        pairs = [pair for pair in study.compared if set(pair) <= set(arms)]
    _show(arms, pairs, region, as_json)


def _show(arms: Mapping[str, ArmCost], pairs: list[tuple[str, str]], grid: GridIntensity | None, as_json: bool) -> None:
    rows = [*cost_rows(arms, pairs, grid), *average_rows(arms, pairs)]
    titles = [cost.title for cost in PUBLISHED_COSTS]
    if as_json:
        print_json(
            {
                "sources": {cost.title: cost.source for cost in PUBLISHED_COSTS},
                "runs": {name: arm.num_runs for name, arm in arms.items()},
                "rows": [asdict(row) for row in rows],
            }
        )
        return
    print_published(rows, titles, console())
    of_papers = [name for name in rows[0].ratios if set(name.split(" / ")) <= set(titles)]
    for first, second in pairs:
        print_pair(rows, (first, second), (f"{first} / {second}", *of_papers), console())
    for alone in [] if pairs else arms:
        print_pair(rows, (alone,), (), console())
    if arms:
        runs = ", ".join(f"{name} {arm.num_runs}" for name, arm in arms.items())
        typer.echo(f"Of the study: means over runs ({runs}); energy at the machine, without the site's overhead.")


def _measured(stages: StudyStages, store: Store) -> dict[str, ArmCost]:
    """By name of the arm, of those with a finished run."""
    scores = [(folder, folder.manifest()) for folder in store.folders("scores") if folder.complete]
    summaries: dict[str, list[RunSummary]] = {}
    found: dict[str, list[ArmAverages]] = {}
    for run in stages.runs:
        folder = run.stage.find(store)
        if folder is not None:
            summaries.setdefault(run.arm, []).append(RunSummary.model_validate(folder.read_json("summary.json")))
            found.setdefault(run.arm, []).append(_averages(_results(folder, scores)))
    return {arm: arm_cost(runs, _mean(found[arm])) for arm, runs in summaries.items()}


def _results(run: Folder, scores: list[tuple[Folder, Manifest]]) -> list[EvalResult]:
    """Every score of a run in the paper's wording: scored as a run of a recipe, or as a checkpoint with its weights."""
    weights = {entry.name: entry.sha256 for entry in run.manifest().files}["model.safetensors"]
    return [
        EvalResult.model_validate(folder.read_json("result.json"))
        for folder, manifest in scores
        if (str(run.reference) in manifest.reads or manifest.config.get("weights") == weights)
        and manifest.config.get("prompts", "paper") == "paper"
    ]


def _averages(results: list[EvalResult]) -> ArmAverages:
    """The paper's averages of one run; of several scores of a task that of most items counts."""
    ordered = sorted(results, key=lambda each: each.num_examples)
    found: ArmAverages = {}
    for num_shots in (*sorted({each.num_shots for each in ordered}), "paper"):
        means = averages(scores_at(ordered, num_shots))
        parts: dict[AverageOf, Average] = {**means.groups, "all": means.overall}
        for of, mean in parts.items():
            if mean.value is not None:
                found[of, num_shots] = PER_CENT * mean.value
    return found


def _mean(runs: list[ArmAverages]) -> dict[tuple[AverageOf, Setting], Cell]:
    """Over an arm's runs, where all of them have the average; of few shots the paper's numbers, else the most."""
    found: dict[tuple[AverageOf, Setting], Cell] = {}
    for of, num_shots in runs[0]:  # rising, the paper's own last
        values = [run[of, num_shots] for run in runs if (of, num_shots) in run]
        if len(values) == len(runs):
            setting = ZERO_OR_ONE.get(num_shots, "few")
            number = "the paper's number of" if num_shots == "paper" else str(num_shots)
            note = f"{number} shots for every task" if setting == "few" else None
            found[of, setting] = Cell(sum(values) / len(values), "measured", note=note)
    return found
