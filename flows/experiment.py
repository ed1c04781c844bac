"""The whole road as a flow: raw text to a verdict on the arms of a study. What can be refused is refused at once."""

from prefect import flow
from prefect.states import Failed, State

from flows.order import name_run, validate
from flows.parameters import RecipeName, RunSettings, Seeds, Settings, Threads, Until, Workers, described
from flows.refusals import explanation, shorten
from glam.lineage import Verb


@flow(name="experiment", flow_run_name="{recipe}", persist_result=False)
@described
def run_experiment(
    recipe: RecipeName = "quickstart",
    settings: Settings = [],  # noqa: B006 - Prefect's form shows the default; it is never changed
    seeds: Seeds = [],  # noqa: B006
    workers: Workers = 1,
    threads: Threads = 2,
    run_settings: RunSettings = [],  # noqa: B006
    until: Until = "compare",
) -> State | None:
    """Raw text to a verdict. What is complete in the store is not made again."""
    return travel(recipe, settings, seeds, workers, threads, run_settings, until)


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
