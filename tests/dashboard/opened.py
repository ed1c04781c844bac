"""A page as AppTest runs it."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.app import PAGES as TITLES

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
PAGES = tuple(TITLES)


def _page(name: str) -> None:
    from importlib import import_module

    import_module(f"dashboard.views.{name}").show()


def opened(page: str, root: Path, monkeypatch: pytest.MonkeyPatch, /, **address: str | list[str]) -> AppTest:
    """The page over a store, with these fields in its address; it has raised nothing."""
    monkeypatch.setenv("GLAM_STORE", str(root))
    monkeypatch.delenv("GLAM_SERVE", raising=False)
    app = AppTest.from_function(_page, args=(page,), default_timeout=30)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def shown(app: AppTest) -> str:
    """All text that is read as Markdown, without what keeps it from being that."""
    texts = [*app.markdown, *app.info, *app.error, *app.warning, *app.success, *app.caption, *app.title]
    return "\n".join(element.value for element in texts).replace("\\", "").replace("\u2060", "")


def table_with(app: AppTest, column: str):
    """The first table that has such a column."""
    return next(each.value for each in app.dataframe if column in each.value)
