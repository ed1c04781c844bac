"""Whether a server on this machine answers."""

import base64
import json
import socket
import urllib.error
import urllib.request

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PATIENCE_SECONDS = 2
REFUSALS = (401, 403)


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


def offers_deployments(prefect_api: str, auth: str | None = None) -> bool:
    """Whether that Prefect API has anything a person could start.

    `auth` is `user:password`. An API that refuses it, or wants one, does not say, and counts as if it had.
    """
    count = count_deployments(prefect_api, auth)
    return count is None or count > 0


def count_deployments(prefect_api: str, auth: str | None = None) -> int | None:
    """How many that Prefect API has, 0 where it does not answer; None where it refuses `auth`, or wants one."""
    headers = {"Content-Type": "application/json"}
    if auth is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(auth.encode()).decode()
    question = urllib.request.Request(f"{prefect_api}/deployments/count", data=b"{}", headers=headers)
    try:
        with _OPENER.open(question, timeout=PATIENCE_SECONDS) as answer:
            return int(json.load(answer))
    except urllib.error.HTTPError as refusal:
        return None if refusal.code in REFUSALS else 0
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return 0
