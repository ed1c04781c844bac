"""Markdown of what others have named or written: nothing of their text becomes markup.

As little as possible is escaped, since every renderer has its own gaps (tried: Prefect's, which shows entities as they
are written, and MLflow's, which does not know every backslash).
"""

import re
from collections.abc import Iterable, Sequence

from rich.table import Table

JOINER = "\u2060"
"""Takes no room; an address with it inside is no link."""
RULES = (
    (re.compile(r"[\\`*|~]|\](?=[(\[:])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"), r"\\\g<0>"),
    (re.compile(r"&(?=#?\w+;)"), "&amp;"),
    (re.compile(r"<(?=[A-Za-z/!?])"), "&lt;"),
    (re.compile(r":(?=//)|@|(?<=www)(?=\.)", re.IGNORECASE), rf"\g<0>{JOINER}"),
    # A list, a heading or a rule, where a line begins with it.
    (re.compile(r"^(?:[-+](?=[\s-]|$)|=(?==*$)|#)"), r"\\\g<0>"),
    (re.compile(r"^(\d+)(?=[.)](?:\s|$))"), r"\1\\"),
)
"""What may mean something, and what stands for it instead."""


def plain(text: object) -> str:
    """The text on one line, every character as itself."""
    written = " ".join(str(text).split())
    for pattern, instead in RULES:
        written = pattern.sub(instead, written)
    return written


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table of plain text; the first column is flush left, the others flush right."""
    lines = [header, *rows]
    marks = ["---", *["---:"] * (len(header) - 1)]
    written = [" | ".join(plain(cell) or " " for cell in line) for line in lines]
    return "\n".join(f"| {line} |" for line in (written[0], " | ".join(marks), *written[1:]))


def bullets(texts: Iterable[object]) -> str:
    """A list of plain text."""
    return "\n".join(f"- {plain(text)}" for text in texts)


def from_terminal(made: Table) -> str:
    """A table of the terminal, whose cells are text, below its title."""
    rows = zip(*(column.cells for column in made.columns), strict=True)
    shown = table([column.header for column in made.columns], rows)
    return f"### {plain(made.title)}\n\n{shown}" if made.title else shown
