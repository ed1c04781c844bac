"""The process of one contestant: builds it, then answers questions, one line of JSON each, until there are no more.

`round` is answered with the seconds of one call and what it found, `report` with what building and calling took.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, TextIO

import psutil

from glam.memory import peak_bytes

ROUND_SECONDS = 0.3
"""A round is at least one call, and as many as begin within this time."""


def main(spec: str) -> None:
    """Serves the contestant `{"builder": "module:function", "arguments": {...}}`."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    contestant = json.loads(spec)
    module, _, function = contestant["builder"].partition(":")
    build = getattr(import_module(module), function)
    imported = peak_bytes()
    call = build(**contestant["arguments"])
    built = psutil.Process().memory_info().rss
    _say(answers, {"built": True})
    for question in sys.stdin:
        if question == "round\n":
            seconds, found = _round(call)
            _say(answers, {"seconds": seconds, "facts": found if isinstance(found, dict) else {}})
        else:
            assert question == "report\n", question
            peak = peak_bytes()
            _say(answers, {"peak_bytes": peak - imported, "call_bytes": peak - built})


def _round(call: Callable[[], object]) -> tuple[float, object]:
    """(seconds of a call, what the last one returned)."""
    start, calls = time.perf_counter(), 0
    while True:
        found = call()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= ROUND_SECONDS:
            return elapsed / calls, found


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
