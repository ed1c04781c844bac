"""A person's order, checked: the first task of every flow, which needs neither torch nor Ray."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from glam.config import RunOptions
from glam.lineage import StudyStages, Verb, study_stages
from glam.recipes import recipe as find_recipe
from glam.store import Store
from glam.study import Study, override, run_options
from infra.processors import RAY_ADDRESS, NotEnoughResources, available_cpus, require_cpus
from infra.stack_file import read_stack
from workers.studies import title


@dataclass(frozen=True)
class Order:
    """A study, the folders that it fills and how far to go."""

    recipe: str
    study: Study
    stages: StudyStages
    options: RunOptions
    store: Store
    until: Verb

    @property
    def fingerprint(self) -> str:
        """Of the verdict to be, and so of all that determines it."""
        return self.stages.verdict.reference.fingerprint

    @property
    def complete(self) -> bool:
        """Whether every folder is there already."""
        return all(stage.find(self.store) is not None for stage in self.stages.until(self.until))


@task(name="validate", cache_policy=NO_CACHE)
def validate(
    recipe: str,
    settings: Sequence[str],
    seeds: Sequence[int],
    workers: int,
    threads: int,
    run_settings: Sequence[str],
    until: Verb,
) -> Order:
    """Raises ValueError for what does not exist or does not fit, NotEnoughResources for more CPUs than there are."""
    changes = [*settings, *([f"seeds={list(seeds)}"] if seeds else [])]
    study = override(find_recipe(recipe), changes)
    options = run_options(workers, threads, run_settings)
    store = Store.default()
    _check_cpus(options.cpus_needed, store)
    return Order(recipe, study, study_stages(study), options, store, until)


def this_machine() -> str:
    """The tag of flow runs whose processes are here."""
    return f"on {socket.gethostname()}"


def name_run(order: Order) -> None:
    """Calls the flow run after its study, and tags it with what a person would look for."""
    tags = {*flow_run.tags, "glam", order.recipe, order.fingerprint, *order.study.arms, this_machine()}
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=title(order.study, order.stages), tags=sorted(tags))


def _check_cpus(cpus_needed: float, store: Store) -> None:
    require_cpus(cpus_needed)
    stack = read_stack(store.root)
    if stack is not None and os.environ.get(RAY_ADDRESS, stack.ray) == stack.ray and cpus_needed > available_cpus():
        raise NotEnoughResources(
            f"{cpus_needed:g} CPUs asked for, the stack's Ray has {available_cpus()}: ask for fewer (workers, threads)"
        )
