"""Figures and tables as pages show them: with a text for who cannot see them, and downloads."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import pictures, words
from dashboard.charts import Figure

FORMULA = re.compile(r"^[=+\-@\t\r]")
"""What a spreadsheet would compute."""


def chart(
    figure: Figure | None,
    name: str,
    *,
    absent: str,
    data: pd.DataFrame | None = None,
    place: DeltaGenerator | None = None,
    stretch: bool = True,
) -> None:
    """A figure with its downloads, or why there is none. `name` is that of the files, and unique on its page."""
    with (place or st).container(gap="xxsmall"):
        if figure is None:
            st.info(words.plain(absent))
            return
        st.altair_chart(figure, alt=name, key=f"chart {name}", width="stretch" if stretch else "content")
        with st.popover("Download", type="tertiary", key=f"downloads {name}"):
            for kind, mime in pictures.KINDS.items():
                st.download_button(
                    kind.upper(),
                    partial(_picture, figure, kind),
                    f"{name}.{kind}",
                    mime,
                    key=f"{kind} {name}",
                    on_click="ignore",
                )
            if data is not None:
                _csv_button(data, name)


def table(
    frame: pd.DataFrame,
    name: str,
    *,
    columns: Mapping[str, Any] | None = None,
    raw: pd.DataFrame | None = None,
    place: DeltaGenerator | None = None,
    full: bool = False,
) -> None:
    """A table with its download, which is `raw` where that has more than what people read; `full` shows all rows
    without a bar.
    """
    with (place or st).container(gap="xxsmall"):
        st.dataframe(
            frame,
            hide_index=True,
            column_config=columns,
            height="content" if full else "auto",
            placeholder=words.UNKNOWN,
            key=f"table {name}",
        )
        _csv_button(frame if raw is None else raw, name)


def nothing(sentence: str, command: str) -> None:
    """An empty page: what is missing, and the command that makes it."""
    st.info(words.plain(sentence))
    st.code(command, language="sh")


def csv_of(frame: pd.DataFrame) -> bytes:
    """UTF-8, in which no text is a formula."""
    return (
        frame.map(lambda value: "'" + value if isinstance(value, str) and FORMULA.match(value) else value)
        .to_csv(index=False)
        .encode()
    )


def _csv_button(frame: pd.DataFrame, name: str) -> None:
    st.download_button(
        "CSV",
        partial(csv_of, frame),
        f"{name}.csv",
        "text/csv",
        key=f"csv {name}",
        type="tertiary",
        on_click="ignore",
    )


def _picture(figure: Figure, kind: str) -> bytes:
    with alt.data_transformers.disable_max_rows():
        return pictures.draw(figure.to_json(), kind)
