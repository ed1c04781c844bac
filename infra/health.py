"""Whether a server on this machine answers."""

import base64
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PATIENCE_SECONDS = 2
REFUSALS = (401, 403)
DEPLOYMENT_TAG = "glam"
"""Of our deployments."""
SECONDS_SINCE_A_POLL = 20.0
"""Whoever serves deployments asks for runs every few seconds; on a busy machine a few more."""


def answers(url: str) -> bool:
    """Whether anything speaks HTTP there, however it judges the request; proxies are left out."""
    try:
        with _OPENER.open(url, timeout=PATIENCE_SECONDS):
            return True
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def accepts(host: str, port: int) -> bool:
    """Whether anything takes connections there."""
    try:
        with socket.create_connection((host, port), timeout=PATIENCE_SECONDS):
            return True
    except OSError:
        return False


def serves_deployments(prefect_api: str, auth: str | None = None) -> bool:
    """Whether somebody asks that Prefect API for runs of our deployments, now: that they are listed there says nothing,
    for they stay when whoever served them is gone.

    `auth` is `user:password`. An API that refuses it, or wants one, does not say, and counts as if they were served.
    """
    question = {"deployments": {"tags": {"all_": [DEPLOYMENT_TAG]}}}
    try:
        found = _asked(prefect_api, "deployments/filter", question, auth) or []
    except PermissionError:
        return True
    polled = [datetime.fromisoformat(each["last_polled"]) for each in found if each.get("last_polled")]
    return any((datetime.now(UTC) - at).total_seconds() < SECONDS_SINCE_A_POLL for at in polled)


def count_deployments(prefect_api: str, auth: str | None = None) -> int | None:
    """How many that Prefect API has, 0 where it does not answer; None where it refuses `auth`, or wants one."""
    try:
        return int(_asked(prefect_api, "deployments/count", {}, auth) or 0)
    except PermissionError:
        return None


def _asked(prefect_api: str, what: str, question: Mapping[str, object], auth: str | None) -> Any:
    """What it answers; None where it does not. Raises PermissionError where it refuses `auth`, or wants one."""
    headers = {"Content-Type": "application/json"}
    if auth is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(auth.encode()).decode()
    request = urllib.request.Request(f"{prefect_api}/{what}", data=json.dumps(question).encode(), headers=headers)
    try:
        with _OPENER.open(request, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        if refusal.code in REFUSALS:
            raise PermissionError(f"{prefect_api} refuses") from None
        return None
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return None
