"""The dashboard: a page per question about the runs of one store. `streamlit run dashboard/app.py`."""

import streamlit as st

from dashboard.views import compare, runs
from glam import environment


def main() -> None:
    """Chooses the page by its address and draws it."""
    environment.apply()
    st.set_page_config(page_title="glam", layout="wide")
    # No icons: the browser would fetch a page's icon from a font server outside.
    pages = [
        st.Page(compare.show, title="Compare", url_path="compare", default=True),
        st.Page(runs.show, title="Runs", url_path="runs"),
    ]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    main()
