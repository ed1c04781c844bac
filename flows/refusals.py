"""Refusals: errors that explain themselves to the person who can do something about them."""

import logging
from collections.abc import Mapping

from pydantic import ValidationError

from glam.store import FolderReference, StoreError
from glam.store.errors import DISK_FULL, is_disk_full
from infra.processors import NotEnoughResources, RayFailed


class NotAllScored(StoreError):
    """Some scores of a study could not be made; the others are kept."""

    def __init__(self, num_scores: int, reasons: Mapping[FolderReference, str]):
        said = "; ".join(f"{reference.label}: {reason}" for reference, reason in reasons.items())
        super().__init__(f"{len(reasons)} of {num_scores} scores could not be made; the others are kept. {said}")
        self.num_scores, self.reasons = num_scores, reasons

    def __reduce__(self) -> tuple[type, tuple[int, Mapping[FolderReference, str]]]:
        """Its words are made of more than its words."""
        return type(self), (self.num_scores, self.reasons)


REFUSALS = (ValueError, StoreError, NotEnoughResources, RayFailed)
"""Their message says what, where and what to do; a traceback of our code adds nothing."""


def explanation(error: BaseException) -> str | None:
    """What a person is told of an error; None for one that does not explain itself."""
    if isinstance(error, ValidationError):
        return "; ".join(_sentence(each["loc"], each["msg"], each.get("input")) for each in error.errors())
    if isinstance(error, REFUSALS):
        return str(error)
    return DISK_FULL if is_disk_full(error) else None


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


def _sentence(location: tuple[int | str, ...], message: str, given: object) -> str:
    place = ".".join(str(part) for part in location)
    return f"{place}: {message} (given: {given!r})" if place else message
