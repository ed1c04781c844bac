"""Docstrings are found wherever definitions stand, and nothing is executed."""

import pytest

from glam.data.docstrings import docstrings

SOURCE = '''"""Of the module."""
raise SystemExit("never runs")

if True:
    class A:
        """Of A."""

        def method(self):
            """Of a method.

            A line,
                indented.
            """
            def inner():
                "Of inner."
else:
    async def b(): "Of b."
try:
    pass
except ImportError:
    def c():
        """Of c: \\d."""

def none(): pass
def blank():
    """   """
'''


def test_every_docstring_with_its_qualified_name() -> None:
    assert list(docstrings(SOURCE)) == [
        ("", "Of the module."),
        ("A", "Of A."),
        ("A.method", "Of a method.\n\nA line,\n    indented."),
        ("A.method.inner", "Of inner."),
        ("b", "Of b."),
        ("c", "Of c: \\d."),
    ]


def test_what_is_no_python_raises() -> None:
    with pytest.raises(SyntaxError):
        list(docstrings("def ("))
