"""Trying models: two answers side by side, from a server that may answer anything, late, or not at all."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.queries import servers
from dashboard.queries.servers import NoAnswer, RunPages, complete, pages_of, served_models
from tests.dashboard.opened import _page, shown

SCRIPT = "<script>alert(1)</script> :red[x] [a](http://example.invalid)"
MODELS = [
    {"fingerprint": "1" * 16, "label": "sparse-s0", "arm": "sparse", "seed": 0, "parameters": 10, "new": "field"},
    {"fingerprint": "2" * 16, "label": "dense-s0", "arm": "dense", "seed": 0, "parameters": 10},
]

Answer = Callable[[str, Any], tuple[int, bytes]]


def always(status: int, body: bytes) -> Answer:
    return lambda *_: (status, body)


class Server(ThreadingHTTPServer):
    """Answers as it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Any]] = []
        self.answer = always(200, b"{}")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._say(None)

    def do_POST(self) -> None:
        self._say(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _say(self, question: Any) -> None:
        self.server.asked.append((self.path, question))
        status, body = self.server.answer(self.path, question)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def as_glam_serve(path: str, question: Any) -> tuple[int, bytes]:
    if path == "/models":
        return 200, json.dumps(MODELS).encode()
    experts = [[0, 3], [1, 2]] if question["model"] == "1" * 16 else []
    tokens = [{"text": SCRIPT, "experts": experts}, {"text": "\n", "experts": experts}]
    return 200, json.dumps({"text": SCRIPT + "\n", "tokens": tokens, "seconds": 0.5}).encode()


def page(root: Path, server: Server | None, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("GLAM_STORE", str(root))
    monkeypatch.setenv("GLAM_SERVE", "http://127.0.0.1:9" if server is None else server.address)
    app = AppTest.from_function(_page, args=("try_it",), default_timeout=30).run()
    assert not app.exception
    return app


def test_both_models_go_on_from_one_prompt(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server.answer = as_glam_serve
    app = page(tmp_path, server, monkeypatch)
    app.text_area[0].set_value("once upon")
    app.number_input[1].set_value(0.8)
    app.button[0].click().run()
    assert not app.exception
    questions = [question for path, question in server.asked if path == "/complete"]
    assert [question.pop("model") for question in questions] == ["1" * 16, "2" * 16]
    assert (
        questions[0]
        == questions[1]
        == {
            "prompt": "once upon",
            "max_new_tokens": 48,
            "temperature": 0.8,
            "top_k": None,
            "top_p": 1.0,
            "seed": 0,
            "experts": True,
        }
    )
    assert [code.value for code in app.code] == [SCRIPT] * 2
    assert SCRIPT not in shown(app)
    assert "No experts: this model is dense." in shown(app)
    assert len(app.get("vega_lite_chart")) == 1
    assert "2 tokens in 0.5 s, 4.0 tokens per second." in shown(app)


def test_no_server_is_said_with_what_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    app = page(tmp_path, None, monkeypatch)
    assert "does not answer" in shown(app)
    assert app.code[0].value == "glam up"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b'[{"label": "x"}]', b'{"models": []}', b"<html>", b"[" * 100_000, b"\xff", b"9" * 6_000],
)
def test_an_answer_that_is_none_is_said(body: bytes, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server.answer = always(200, body)
    assert page(tmp_path, server, monkeypatch).error
    with pytest.raises(NoAnswer):
        served_models(server.address)
    with pytest.raises(NoAnswer):
        complete(server.address, {})


def test_a_refusal_is_passed_on_in_its_own_words(server: Server):
    server.answer = always(422, json.dumps({"error": "top_k=3 samples"}).encode())
    with pytest.raises(NoAnswer, match="422 top_k=3 samples"):
        complete(server.address, {})
    server.answer = always(500, b"<html>oops")
    with pytest.raises(NoAnswer, match="500"):
        complete(server.address, {})


def test_a_server_that_is_silent_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch):
    release = threading.Event()

    def late(*_: Any) -> tuple[int, bytes]:
        release.wait(20)
        return 200, b"[]"

    server.answer = late
    monkeypatch.setattr(servers, "SHORT_SECONDS", 0.1)
    with pytest.raises(NoAnswer, match="does not answer"):
        served_models(server.address)
    release.set()


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1", "nonsense", ""])
def test_only_servers_are_asked(address: str):
    with pytest.raises(NoAnswer):
        served_models(address)


def test_mlflow_is_asked_for_the_run_of_a_fingerprint_and_its_parent_for_the_flow(server: Server):
    parent = [{"key": "mlflow.parentRunId", "value": "p&1"}]
    flow = [{"key": "prefect.flow_run", "value": "f/1"}]

    def as_mlflow(path: str, question: Any) -> tuple[int, bytes]:
        if path.endswith("experiments/search"):
            return 200, b'{"experiments": [{"experiment_id": "7"}]}'
        if path.endswith("runs/get?run_id=p%261"):
            return 200, json.dumps({"run": {"data": {"tags": flow}}}).encode()
        found = "`glam.fingerprint` = 'aa'" in question["filter"] and question["experiment_ids"] == ["7"]
        runs = [{"info": {"experiment_id": "7", "run_id": "r/1"}, "data": {"tags": parent}}] if found else []
        return 200, json.dumps({"runs": runs}).encode()

    server.answer = as_mlflow
    prefect = "http://127.0.0.1:4200"
    found = pages_of(server.address, prefect, "aa")
    assert found.mlflow == f"{server.address}/#/experiments/7/runs/r%2F1"
    assert found.prefect == f"{prefect}/runs/flow-run/f%2F1"
    assert pages_of(server.address, prefect, "bb") == RunPages(problem="MLflow has no run with this fingerprint")
    server.answer = lambda path, question: (404, b"{}") if "runs/get" in path else as_mlflow(path, question)
    assert pages_of(server.address, prefect, "aa") == RunPages(mlflow=found.mlflow)
    server.answer = always(200, b"[]")
    assert (
        pages_of(server.address, prefect, "aa").problem == f"{server.address} answers something else than MLflow does"
    )
    server.answer = always(401, b"{}")
    assert "refused: 401" in pages_of(server.address, prefect, "aa").problem
    assert "does not answer" in pages_of("http://127.0.0.1:9", prefect, "aa").problem
