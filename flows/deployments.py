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

    from flows.experiment import run_experiment

    deployment = run_experiment.to_deployment(
        "experiment",
        description=run_experiment.__doc__,
        tags=["glam"],
        entrypoint_type=EntrypointType.MODULE_PATH,  # a file path would depend on the working folder
    )
    assert isinstance(deployment, RunnerDeployment), "outside an event loop it is no coroutine"
    serve(deployment, pause_on_shutdown=False, print_starting_message=False)


def main() -> int:
    """Entry point of `python -m flows.deployments`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(os.environ.get(STORE_VARIABLE, ".glam")))
    serve_deployments(parser.parse_args().store)
    return 0


if __name__ == "__main__":
    sys.exit(main())
