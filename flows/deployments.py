"""Serves the flows to the Prefect UI: `python -m flows.deployments --store DIR`, until it is told to stop.

Each start from the form runs in a process of its own, over the store that GLAM_STORE names.
"""

import argparse
import os
import sys
from pathlib import Path

from flows.server import Api
from glam import environment

STORE_VARIABLE = "GLAM_STORE"
SECONDS_BETWEEN_LOOKS = 3
"""For runs to start; Prefect's 10 seem long to who has pressed the button."""


def serve_deployments(store_root: Path) -> None:
    """Waits for the API at PREFECT_API_URL, then serves. Raises ServerError where nothing answers."""
    environment.apply()
    os.environ[STORE_VARIABLE] = str(store_root.absolute())
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise ValueError("PREFECT_API_URL is not set: start the stack with `glam up`, or name a Prefect API")
    Api(url).wait(patience_seconds=180)
    # Prefect reads its settings at import, so it comes after them.
    from prefect import serve
    from prefect.deployments.runner import EntrypointType, RunnerDeployment

    from flows.forms import FLOWS

    deployments = [
        flow.to_deployment(
            name,
            description=(flow.description or "").partition("\n")[0],
            tags=["glam"],
            entrypoint_type=EntrypointType.MODULE_PATH,  # a file path would depend on the working folder
        )
        for name, flow in FLOWS.items()
    ]
    made = [each for each in deployments if isinstance(each, RunnerDeployment)]
    assert len(made) == len(FLOWS), "outside an event loop none of them is a coroutine"
    serve(*made, pause_on_shutdown=False, print_starting_message=False, query_seconds=SECONDS_BETWEEN_LOOKS)


def main() -> int:
    """Entry point of `python -m flows.deployments`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(os.environ.get(STORE_VARIABLE, ".glam")))
    serve_deployments(parser.parse_args().store)
    return 0


if __name__ == "__main__":
    sys.exit(main())
