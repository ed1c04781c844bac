"""Waiting for Ray so that every signal is heard.

Inside its calls Ray lets the exceptions of two signal handlers through, of Ctrl-C and of `sys.exit`, and drops all
others, such as the one by which Prefect cancels a run, or wraps them. So we wait in Python and ask Ray what is done
by now.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import ray

SECONDS_BETWEEN_LOOKS = 0.01


def wait(
    references: Sequence[ray.ObjectRef], *, timeout_seconds: float | None = None
) -> tuple[list[ray.ObjectRef], list[ray.ObjectRef]]:
    """(what is done, what is not) as soon as one is done or the time is over."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        done, running = _look(references)
        if done or (deadline is not None and time.monotonic() > deadline):
            return done, running
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _look(references: Sequence[ray.ObjectRef]) -> tuple[list[ray.ObjectRef], list[ray.ObjectRef]]:
    """A signal in the moment of looking: what its handler raised comes out of Ray as the cause of a SystemError."""
    try:
        return ray.wait(list(references), num_returns=1, timeout=0)
    except SystemError as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from None


@contextmanager
def heard_while_ray_waits() -> Iterator[None]:
    """The same for code of Ray's own that gets one object and waits for it without a limit."""
    get = ray.get

    def get_when_done(references: Any, **options: Any) -> Any:
        if isinstance(references, ray.ObjectRef) and not options:
            wait([references])
        return get(references, **options)

    with mock.patch.object(ray, "get", get_when_done):
        yield
