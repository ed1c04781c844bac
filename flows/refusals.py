"""Refusals: errors that explain themselves to the person who can do something about them."""

import logging

from glam.store import StoreError
from infra.processors import NotEnoughResources, RayFailed

REFUSALS = (ValueError, StoreError, NotEnoughResources, RayFailed)
"""Their message says what, where and what to do; a traceback of our code adds nothing."""


class WithoutTraceback(logging.Filter):
    """Leaves the traceback of a refusal out of a log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], REFUSALS):
            record.exc_info = None
        return True


def shorten(logger_names: tuple[str, ...] = ("prefect.flow_runs", "prefect.task_runs")) -> None:
    """Puts the filter on these loggers, once."""
    for name in logger_names:
        logger = logging.getLogger(name)
        if not any(isinstance(each, WithoutTraceback) for each in logger.filters):
            logger.addFilter(WithoutTraceback())
