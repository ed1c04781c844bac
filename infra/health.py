"""Whether a server on this machine answers."""

import json
import urllib.error
import urllib.request

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str) -> bool:
    """Whether anything speaks HTTP there, however it judges the request; proxies are left out."""
    try:
        with _OPENER.open(url, timeout=2):
            return True
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def offers_deployments(prefect_api: str) -> bool:
    """Whether that Prefect API has anything a person could start."""
    question = urllib.request.Request(
        f"{prefect_api}/deployments/count", data=b"{}", headers={"Content-Type": "application/json"}
    )
    try:
        with _OPENER.open(question, timeout=2) as answer:
            return int(json.load(answer)) > 0
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False
