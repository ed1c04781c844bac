"""What a flow run shows on Prefect's pages: a table of its training, the verdict, and where else to look."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.runtime import flow_run

from flows.order import Order
from glam.analysis.verdict import Verdict
from glam.analysis.verdict_markdown import verdict_markdown
from infra.stack_file import read_stack
from workers.live import Live, LiveRun

Row = Mapping[str, str]


class Table:
    """A table of this flow run that is replaced in place, from any thread."""

    def __init__(self, rows: Sequence[Row], description: str):
        self._id = cast(
            UUID,
            create_table_artifact(
                table=[dict(row) for row in rows], key=key("progress", str(flow_run.id)), description=description
            ),
        )

    def show(self, rows: Sequence[Row]) -> None:
        """Raises what Prefect's client raises where the API does not answer."""
        with get_client(sync_client=True) as client:
            client.update_artifact(self._id, ArtifactUpdate(data=json.dumps([dict(row) for row in rows])))


def show_verdict(verdict: Verdict) -> None:
    """The verdict as Markdown; those of a study stand under one key."""
    create_markdown_artifact(verdict_markdown(verdict), key=key("verdict", verdict.study))


def show_links(order: Order, live: Live, parent: LiveRun) -> None:
    """Where the stack shows this study; nothing where no stack is up."""
    stack = read_stack(order.store.root)
    if stack is None:
        return
    runs = "&".join(f"runs={run.stage.reference.fingerprint}" for run in order.stages.runs)
    page = {
        "classify": "data",
        "prepare": f"data?data={order.stages.data[0].shards.reference.fingerprint}",
        "train": f"training?{runs}",
        "evaluate": "tasks",
    }.get(order.until, f"verdict?study={order.fingerprint}")
    create_link_artifact(f"{stack.dashboard}/{page}", "The dashboard", key=key("dashboard", order.study.name))
    experiment = live.ask(lambda tracker: tracker.experiment_id)
    if experiment is not None and parent.run is not None:
        address = f"{stack.mlflow}/#/experiments/{experiment}/runs/{parent.run.run_id}"
        create_link_artifact(address, "The run in MLflow", key=key("mlflow", order.study.name))


def key(kind: str, name: str) -> str:
    """A key as Prefect takes it: lower-case letters, digits and dashes."""
    return f"{kind}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'unnamed'}"
