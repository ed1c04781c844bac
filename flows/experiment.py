"""The whole road as a flow: raw text to a verdict on the arms of a study. What can be refused is refused at once."""

import json

from prefect import flow
from prefect.states import Failed, State

from flows.order import name_run, validate
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
    Until,
    Workers,
    described,
)
from flows.refusals import explanation, shorten
from glam.lineage import Verb

# ruff: noqa: B006 - Prefect's form shows the default lists; they are never changed


@flow(name="experiment", flow_run_name="{recipe}", persist_result=False)
@described
def run_experiment(
    recipe: RecipeName = "quickstart",
    settings: Settings = [],
    seeds: Seeds = [],
    tasks: Tasks = [],
    shots: Shots = [],
    limit: Limit = 0,
    benchmarks: Benchmarks = "",
    workers: Workers = 1,
    threads: Threads = 2,
    run_settings: RunSettings = [],
    until: Until = "compare",
) -> State | None:
    """Raw text to a verdict. What is complete in the store is not made again."""
    changes = [*settings, *judged_by(tasks, shots, limit, benchmarks)]
    return travel(recipe, changes, seeds, workers, threads, run_settings, until)


def judged_by(tasks: list[str], shots: list[int], limit: int, benchmarks: str) -> list[str]:
    """The settings that a form's fields about tasks stand for; none for a field that is left empty."""
    chosen = {"tasks": tasks, "shots": shots, "max_examples": limit, "benchmarks": benchmarks}
    return [f"eval.{name}={json.dumps(value)}" for name, value in chosen.items() if value]


def travel(
    recipe: str,
    settings: list[str],
    seeds: list[int],
    workers: int,
    threads: int,
    run_settings: list[str],
    until: Verb,
) -> State | None:
    """The road up to a verb; None at its end, else a final state that says in a sentence why it ends before."""
    shorten()
    try:
        order = validate(recipe, settings, seeds, workers, threads, run_settings, until)
        name_run(order)
        # torch, Ray and MLflow take seconds; what can be refused is refused before.
        from flows.road import take

        return take(order)
    except Exception as error:
        if (words := explanation(error)) is None:
            raise
        return Failed(message=words, data=error)
