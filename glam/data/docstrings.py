"""Docstrings of Python source, taken from its syntax tree; nothing is imported or run."""

import ast
import inspect
import warnings
from collections.abc import Iterator
from typing import NamedTuple

Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Docstring(NamedTuple):
    """A dedented docstring and whose it is; `qualified_name` is empty for the module's own."""

    qualified_name: str
    text: str


def docstrings(source: str) -> Iterator[Docstring]:
    """Every docstring of a module in the order of the source.

    Raises SyntaxError or ValueError for what this Python cannot parse.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's code
        tree = ast.parse(source)
    yield from _own(tree, "")
    pending = [(child, "") for child in reversed(_statements(tree))]
    while pending:
        node, prefix = pending.pop()
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = prefix + node.name
            yield from _own(node, name)
            prefix = name + "."
        pending += [(child, prefix) for child in reversed(_statements(node))]


def _own(node: Definition, name: str) -> Iterator[Docstring]:
    text = ast.get_docstring(node, clean=False)
    if text is not None and (clean := inspect.cleandoc(text).strip()):
        yield Docstring(name, clean)


def _statements(node: ast.AST) -> list[ast.AST]:
    """Statements directly below a block. Expressions hold no docstrings, and skipping them halves the time."""
    blocks = ("body", "orelse", "handlers", "finalbody")
    return [child for block in blocks for child in getattr(node, block, ())]
