"""Contestants without torch, so that their processes start in a blink."""

import os
import time
from collections.abc import Callable


def sleeper(seconds: float) -> Callable[[], None]:
    print("not an answer")  # noqa: T201
    return lambda: time.sleep(seconds)


def holder(megabytes: int) -> Callable[[], bytes]:
    """Holds that much between calls and as much again during one."""
    kept = b"x" * (megabytes << 20)
    return lambda: bytes(bytearray(kept))


def only_with(variable: str, value: str | None) -> Callable[[], None]:
    assert os.environ.get(variable) == value, f"{variable}={os.environ.get(variable)}"
    return lambda: None


def broken() -> Callable[[], None]:
    raise ValueError("cannot be built")


def failing() -> Callable[[], None]:
    def call() -> None:
        raise ValueError("cannot be called")

    return call
