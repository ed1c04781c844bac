"""Runs that Prefect believes to go on, and whose processes are gone: with the machine, or killed with the stack."""

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelled, Crashed

from flows.order import this_machine
from infra.health import DEPLOYMENT_TAG

ID_VARIABLE = "PREFECT__FLOW_RUN_ID"
"""By which Prefect tells a process whose run it is."""
GOING_ON = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
WORDS = (
    "Its process ended without a word: the machine, the stack or the process was killed. What is finished is kept: "
    "start the same run again, and it goes on"
)


def settle_leftovers() -> None:
    """Ends, on Prefect's pages, the runs that began on this machine and that no process of it works on.

    Before anything is served: a run that has just been taken up has no process yet. One that was to be cancelled is
    cancelled, any other crashed. Where processes of other users hide their environment, nobody knows, and all stays.
    """
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[DEPLOYMENT_TAG])),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(GOING_ON))),
                tags=FlowRunFilterTags(all_=[this_machine()]),
            ),
        )
        working = _worked_on() if found else set()
        for run in found:
            if working is not None and str(run.id) not in working:
                cancelled = run.state_type == StateType.CANCELLING
                state = Cancelled(message=WORDS) if cancelled else Crashed(message=WORDS)
                client.set_flow_run_state(run.id, state, force=True)


def _worked_on() -> set[str] | None:
    """Ids of flow runs that have a process; None where another user's Prefect may have one."""
    found = set()
    for process in psutil.process_iter(["cmdline"]):
        try:
            if (run := process.environ().get(ID_VARIABLE)) is not None:
                found.add(run)
        except psutil.NoSuchProcess:
            continue  # ended meanwhile
        except psutil.AccessDenied:
            if "prefect" in " ".join(process.info["cmdline"] or ()):
                return None
    return found
