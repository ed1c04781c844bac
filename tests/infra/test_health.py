"""What counts as a served deployment: somebody asks for its runs now."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from infra.health import DEPLOYMENT_TAG, count_deployments, serves_deployments
from tests.infra.conftest import stack_ports


@contextmanager
def prefect(answer: Callable[[str, dict[str, Any]], tuple[int, Any]]) -> Iterator[str]:
    """An API that answers so to (path, question)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = answer(self.path, question)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        server.server_close()


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("seconds_ago", "served"),
    [([], False), ([None], False), ([1], True), ([3600], False), ([None, 3600, 1], True)],
    ids=["none", "never asked for", "asked for now", "of a server that is gone", "others are gone"],
)
def test_deployments_are_served_where_somebody_asks_for_their_runs(
    seconds_ago: list[float | None], served: bool
) -> None:
    listed = [{"last_polled": None if seconds is None else ago(seconds)} for seconds in seconds_ago]

    def answer(path: str, question: dict[str, Any]) -> tuple[int, Any]:
        assert path == "/api/deployments/filter"
        assert question["deployments"] == {"tags": {"all_": [DEPLOYMENT_TAG]}}
        return 200, listed

    with prefect(answer) as api:
        assert serves_deployments(api) is served


def test_an_api_that_refuses_does_not_say_and_one_that_is_gone_serves_nothing() -> None:
    with prefect(lambda *_: (401, {})) as api:
        assert serves_deployments(api)
        assert count_deployments(api) is None
    nobody = f"http://127.0.0.1:{stack_ports().prefect}/api"
    assert not serves_deployments(nobody)
    assert count_deployments(nobody) == 0
