"""The flows that a person starts from Prefect's pages: FLOWS. Each is the one road up to its verb."""

from collections.abc import Mapping

from prefect import Flow, flow
from prefect.states import State

from flows.experiment import judged_by, run_experiment, travel
from flows.parameters import (
    Benchmarks,
    Limit,
    RecipeName,
    RunSettings,
    Seeds,
    Settings,
    Shots,
    Tasks,
    Threads,
    Workers,
    described,
)

# ruff: noqa: B006 - Prefect's form shows the default lists; they are never changed


@flow(name="prepare", flow_run_name="prepare {recipe}", persist_result=False)
@described
def prepare(recipe: RecipeName = "quickstart", settings: Settings = []) -> State | None:
    """The recipe's text, filtered, deduplicated, split, tokenised and packed."""
    return travel(recipe, settings, [], 1, 1, [], "prepare")


@flow(name="train", flow_run_name="train {recipe}", persist_result=False)
@described
def train(
    recipe: RecipeName = "quickstart",
    settings: Settings = [],
    seeds: Seeds = [],
    workers: Workers = 1,
    threads: Threads = 2,
    run_settings: RunSettings = [],
) -> State | None:
    """Every arm and seed, trained on the prepared text, and registered as models."""
    return travel(recipe, settings, seeds, workers, threads, run_settings, "train")


@flow(name="evaluate", flow_run_name="evaluate {recipe}", persist_result=False)
@described
def evaluate(
    recipe: RecipeName = "quickstart",
    tasks: Tasks = [],
    shots: Shots = [],
    limit: Limit = 0,
    benchmarks: Benchmarks = "",
    settings: Settings = [],
    seeds: Seeds = [],
    workers: Workers = 1,
    threads: Threads = 2,
    run_settings: RunSettings = [],
) -> State | None:
    """Every run of the recipe on every task at every number of shots; what is not trained yet is trained first."""
    changes = [*settings, *judged_by(tasks, shots, limit, benchmarks)]
    return travel(recipe, changes, seeds, workers, threads, run_settings, "evaluate")


@flow(name="compare", flow_run_name="compare {recipe}", persist_result=False)
@described
def compare(
    recipe: RecipeName = "quickstart",
    tasks: Tasks = [],
    shots: Shots = [],
    limit: Limit = 0,
    benchmarks: Benchmarks = "",
    settings: Settings = [],
    seeds: Seeds = [],
    workers: Workers = 1,
    threads: Threads = 2,
    run_settings: RunSettings = [],
) -> State | None:
    """The verdict of a recipe; what it lacks is made first."""
    changes = [*settings, *judged_by(tasks, shots, limit, benchmarks)]
    return travel(recipe, changes, seeds, workers, threads, run_settings, "compare")


FLOWS: Mapping[str, Flow[..., State | None]] = {
    "experiment": run_experiment,
    "prepare": prepare,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
}
"""By the name of its deployment."""
