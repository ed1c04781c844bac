"""Serves the flows to the Prefect UI: `python -m flows.deployments --store DIR`, until it is told to stop.

Each start from the form runs in a process of its own, over the store that GLAM_STORE names.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from flows.server import Api
from glam import environment
from infra.health import DEPLOYMENT_TAG
from infra.lifeline import guarded, marked
from infra.places import stack_logs

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State
    from prefect.deployments.runner import RunnerDeployment

STORE_VARIABLE = "GLAM_STORE"
FLOWS_VARIABLE = "GLAM_FLOWS"
"""Marks the processes of runs."""
SECONDS_BETWEEN_LOOKS = 3
"""For runs to start; Prefect's 10 seem long to who has pressed the button."""
SECONDS_FOR_RUNS = 20.0
"""To save what they do and to say how they ended; the stack waits a little longer (`infra/programs.py`)."""


def serve_deployments(store_root: Path) -> None:
    """Waits for the API at PREFECT_API_URL, then serves until SIGINT. Raises ServerError where nothing answers.

    Call it from the main thread.
    """
    environment.apply()
    os.environ[STORE_VARIABLE] = str(store_root.absolute())
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise ValueError("PREFECT_API_URL is not set: start the stack with `glam up`, or name a Prefect API")
    Api(url).wait(patience_seconds=180)
    # Prefect reads its settings at import, so it comes after them.
    from prefect.deployments.runner import EntrypointType, RunnerDeployment

    from flows.forms import FLOWS
    from flows.leftovers import settle_leftovers

    for flow in FLOWS.values():
        flow.on_crashed(tell_where_words_are)
    deployments = [
        flow.to_deployment(
            name,
            description=(flow.description or "").partition("\n")[0],
            tags=[DEPLOYMENT_TAG],
            entrypoint_type=EntrypointType.MODULE_PATH,  # a file path would depend on the working folder
        )
        for name, flow in FLOWS.items()
    ]
    made = [each for each in deployments if isinstance(each, RunnerDeployment)]
    assert len(made) == len(FLOWS), "outside an event loop none of them is a coroutine"
    settle_leftovers()
    # A run whose server of deployments is gone could not be cancelled any more: it saves and ends.
    with guarded(FLOWS_VARIABLE, patience_seconds=SECONDS_FOR_RUNS):
        asyncio.run(_serve(made))


def tell_where_words_are(flow: "Flow[..., Any]", flow_run: "FlowRun", state: "State") -> None:  # noqa: ARG001
    """A line on the page of a run whose process ended without a word to Prefect, e.g. because its Ray broke down."""
    from prefect.logging.loggers import flow_run_logger

    log = stack_logs(Path(os.environ[STORE_VARIABLE])) / "deployments.log"
    flow_run_logger(flow_run).error(
        f"What the process said last is in {log}. What is finished is kept: start the same run again, and it goes on"
    )


async def _serve(deployments: "Sequence[RunnerDeployment]") -> None:
    """Until SIGINT, and until the runs have saved: as of one process group they get the signal too, and tell the server
    how they ended. Prefect alone would kill them at once. A second signal does not wait.
    """
    from prefect import aserve

    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stopping.set)
    serving = asyncio.create_task(
        aserve(
            *deployments,
            pause_on_shutdown=False,
            print_starting_message=False,
            query_seconds=SECONDS_BETWEEN_LOOKS,
        )
    )
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
    loop.remove_signal_handler(signal.SIGINT)
    deadline = time.monotonic() + SECONDS_FOR_RUNS
    while not serving.done() and _runs_going() and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    told.cancel()
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def _runs_going() -> list[psutil.Process]:
    """Their processes, and what those have started."""
    return marked(FLOWS_VARIABLE, os.environ[FLOWS_VARIABLE])


def main() -> int:
    """Entry point of `python -m flows.deployments`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(os.environ.get(STORE_VARIABLE, ".glam")))
    serve_deployments(parser.parse_args().store)
    return 0


if __name__ == "__main__":
    sys.exit(main())
