"""What stands in the fields of a benchmark's row, checked where it is read: the hub nests answers in their fields.

Everything raises ValueError naming the field and its value.
"""

from collections.abc import Sequence
from typing import Any

from glam.evaluation.task import Row


def value(row: Row, *path: str | int) -> Any:
    """What lies at `path`."""
    found: Any = row
    for step in path:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"no field {_name(path)!r}") from None
    return found


def texts(row: Row, *path: str | int) -> list[str]:
    """The list of texts at `path`, as it is."""
    found = value(row, *path)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(f"field {_name(path)!r} is {found!r:.60}, no list of texts")
    return found


def accepted_answers(row: Row, *path: str | int) -> tuple[str, ...]:
    """The texts at `path` that say something, each once; at least one."""
    answers = tuple(dict.fromkeys(each.strip() for each in texts(row, *path) if each.strip()))
    if not answers:
        raise ValueError(f"field {_name(path)!r} holds no answer")
    return answers


def place(field: str, answer: object, labels: Sequence[object]) -> int:
    """Where a published answer stands among its labels."""
    if answer not in labels:
        raise ValueError(f"field {field!r} is {answer!r}, none of its labels {', '.join(map(str, labels))}")
    return labels.index(answer)


def _name(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))
