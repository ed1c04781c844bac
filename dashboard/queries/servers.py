"""Servers of this machine that a page asks: `glam serve` for text, MLflow for the run of a fingerprint.

Each question has a time limit, and what answers may be anything, so answers are checked before they are shown.
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from dashboard.queries.files import READ_ERRORS, parse, reason
from infra.stack_file import Stack, read_stack

SERVE_VARIABLE = "GLAM_SERVE"
SHORT_SECONDS = 3.0
COMPLETION_SECONDS = 120.0
MAX_ANSWER_BYTES = 8 << 20
MAX_REFUSAL_BYTES = 4096
FINGERPRINT_TAG, FLOW_RUN_TAG, PARENT_TAG = "glam.fingerprint", "prefect.flow_run", "mlflow.parentRunId"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(Exception):
    """A server that does not answer, or not as it should; the message says which and why."""


class Answer(BaseModel):
    """Part of an answer; what else there is in it is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ServedModel(Answer):
    """A run that can be asked."""

    fingerprint: str
    label: str
    arm: str | None = None
    seed: int | None = None

    @property
    def title(self) -> str:
        return f"{self.label} · {self.fingerprint[:8]}"


class Token(Answer):
    """One token of a completion."""

    text: str
    experts: tuple[tuple[int, ...], ...] | None = None
    """Chosen, by mixture layer; None or empty: a dense model, or not asked for."""


class Completion(Answer):
    """What a model wrote after a prompt."""

    text: str
    tokens: tuple[Token, ...] = ()
    seconds: float | None = None


def stack_of(root: Path) -> Stack | None:
    """The stack of this store where it is up."""
    try:
        return read_stack(root)
    except READ_ERRORS:
        return None


def serve_address(root: Path) -> str | None:
    """GLAM_SERVE, else what the stack names; None where neither does."""
    if address := os.environ.get(SERVE_VARIABLE):
        return address.rstrip("/")
    stack = stack_of(root)
    return None if stack is None else stack.serve


def served_models(address: str) -> list[ServedModel]:
    """What can be asked there. Raises NoAnswer."""
    return _checked(TypeAdapter(list[ServedModel]), _ask(f"{address}/models", None, SHORT_SECONDS), address)


def complete(address: str, question: Mapping[str, Any]) -> Completion:
    """The completion of `model, prompt, max_new_tokens, temperature, top_k, top_p, seed, experts`. Raises NoAnswer."""
    return _checked(TypeAdapter(Completion), _ask(f"{address}/complete", dict(question), COMPLETION_SECONDS), address)


@dataclass(frozen=True)
class RunPages:
    """Where servers show a run; None where they have none, or do not say."""

    mlflow: str | None = None
    prefect: str | None = None
    """The flow run that was last at its experiment."""
    problem: str = ""
    """Why MLflow does not say."""


def pages_of(mlflow: str, prefect: str, fingerprint: str) -> RunPages:
    """Asks MLflow for the run that it tagged with this fingerprint, and its parent for the flow run."""
    api = f"{mlflow}/api/2.0/mlflow"
    try:
        found = _ask(f"{api}/experiments/search", {"max_results": 1000}, SHORT_SECONDS)
        experiments = [str(each["experiment_id"]) for each in found.get("experiments", [])]
        asked = {"experiment_ids": experiments, "filter": f"tags.`{FINGERPRINT_TAG}` = '{fingerprint}'"}
        runs = _ask(f"{api}/runs/search", {**asked, "max_results": 1}, SHORT_SECONDS).get("runs", [])
        if not runs:
            return RunPages(problem="MLflow has no run with this fingerprint")
        experiment, run = (quote(str(runs[0]["info"][name]), safe="") for name in ("experiment_id", "run_id"))
        page, tags = f"{mlflow}/#/experiments/{experiment}/runs/{run}", _tags(runs[0])
    except NoAnswer as error:
        return RunPages(problem=str(error))
    except (LookupError, TypeError, AttributeError):
        return RunPages(problem=f"{mlflow} answers something else than MLflow does")
    try:
        if parent := tags.get(PARENT_TAG):
            tags = _tags(_ask(f"{api}/runs/get?run_id={quote(parent, safe='')}", None, SHORT_SECONDS)["run"])
    except (NoAnswer, LookupError, TypeError, AttributeError):
        return RunPages(mlflow=page)
    flow_run = tags.get(FLOW_RUN_TAG)
    return RunPages(page, f"{prefect}/runs/flow-run/{quote(flow_run, safe='')}" if flow_run else None)


def _tags(run: Any) -> dict[str, str]:
    return {str(tag["key"]): str(tag["value"]) for tag in run["data"].get("tags", [])}


def _ask(url: str, question: Mapping[str, Any] | None, patience_seconds: float) -> Any:
    if urlsplit(url).scheme not in ("http", "https"):
        raise NoAnswer(f"{url} is no address of a server")
    body = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with _OPENER.open(request, timeout=patience_seconds) as answer:
            return parse(answer.read(MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as refusal:
        raise NoAnswer(f"{url} refused: {refusal.code} {_detail(refusal)}") from refusal
    except READ_ERRORS as error:  # URLError and time-outs are OSErrors
        cause = getattr(error, "reason", None)
        raise NoAnswer(f"{url} does not answer: {cause if isinstance(cause, OSError) else reason(error)}") from error


def _detail(refusal: urllib.error.HTTPError) -> str:
    """What the server says of it."""
    try:
        return str(parse(refusal.read(MAX_REFUSAL_BYTES))["error"])[:300]
    except READ_ERRORS:
        return refusal.reason


def _checked(adapter: TypeAdapter, answer: Any, address: str) -> Any:
    try:
        return adapter.validate_python(answer)
    except ValidationError as error:
        raise NoAnswer(f"{address} answers something else than glam serve does: {reason(error)}") from error
