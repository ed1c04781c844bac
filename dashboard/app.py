"""The dashboard: a page per question about the runs of one store. `streamlit run dashboard/app.py`."""

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from glam import environment

# Titles by address, which is the name of the module in dashboard/views/ too; the first one opens.
PAGES = {
    "verdict": "Verdict",
    "training": "Training",
    "experts": "Experts",
    "tasks": "Tasks",
    "energy": "Energy",
    "inference": "Inference",
    "data": "Data",
    "runs": "Runs",
    "try_it": "Try it",
}


def main() -> None:
    """Chooses the page by its address and draws it."""
    environment.apply()
    st.set_page_config(page_title="glam", layout="wide")
    # No icons: the browser would fetch a page's icon from a font server outside.
    first = next(iter(PAGES))
    pages = [
        st.Page(_shower(first), title=PAGES[first], default=True),
        # The first page's address is the server's own; its name is an address too, for links.
        *(
            st.Page(_shower(name), title=title, url_path=name, visibility="hidden" if name == first else "visible")
            for name, title in PAGES.items()
        ),
    ]
    st.navigation(pages, position="top").run()


def _shower(name: str) -> Callable[[], None]:
    """Draws a page; what it needs is imported when it is first opened, for some of it takes a second."""

    def show() -> None:
        import_module(f"dashboard.views.{name}").show()

    return show


if __name__ == "__main__":
    main()
