"""The paper's table and what a study took, in the terminal and wherever else rows are shown as text."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from glam.analysis.formats import METHOD_WORDS, UNKNOWN, quantity, ratio
from glam.analysis.published_rows import Cell, Row

MARKS = {"recalled": "~", "derived": "="}
LEGEND = (
    "~ recalled, not re-read; = derived from other numbers here; ? doubtful; no mark: read off a table of the paper"
)
GRAMS_PER_TONNE = 1e6
WATT_HOURS_PER_MWH = 1e6
METHODS: Mapping[str, str] = {**METHOD_WORDS}


def print_published(rows: Sequence[Row], titles: Sequence[str], console: Console) -> None:
    """The columns of these titles and every ratio among them."""
    names = [name for name in rows[0].ratios if set(name.split(" / ")) <= set(titles)]
    console.print(_table("as published", rows, titles, names))
    console.print(LEGEND, highlight=False, markup=False)
    for row in rows:
        for title in titles:
            if note := row.cells[title].note:
                console.print(f"{title}, {row.quantity}: {note}", style="dim", highlight=False, markup=False)


def print_pair(rows: Sequence[Row], arms: Sequence[str], ratios: Sequence[str], console: Console) -> None:
    """One arm or two that are compared, beside published ratios."""
    console.print(_table(" against ".join(arms), rows, arms, ratios))


def shown(row: Row, cell: Cell) -> str:
    """A number with its unit, its range, and a mark or words for how it was obtained."""
    if cell.value is None:
        return UNKNOWN
    text = UNITS[row.unit](cell.value)
    if cell.low is not None and cell.high is not None and cell.low < cell.high:
        text += f" [{UNITS[row.unit](cell.low)}, {UNITS[row.unit](cell.high)}]"
    if cell.how in METHODS:
        text += f" ({METHODS[cell.how]})"
    return text + MARKS.get(cell.how, "")


def _table(title: str, rows: Sequence[Row], columns: Sequence[str], ratios: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="", box=None, pad_edge=False)
    table.add_column("")
    for name in (*columns, *ratios):
        table.add_column(name.replace(" / ", "\n/ "), justify="right")
    for row in rows:
        cells = [shown(row, row.cells[name]) for name in columns]
        table.add_row(row.quantity, *cells, *(ratio(row.ratios[name]) for name in ratios))
    return table


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _tonnes(value: float) -> str:
    return f"{_plain(value)} t" if value >= 1 else quantity(value * GRAMS_PER_TONNE, "g")


UNITS: Mapping[str, Callable[[float], str]] = {
    "": _plain,
    "tokens": quantity,
    "FLOPs": quantity,
    "MWh": lambda value: quantity(value * WATT_HOURS_PER_MWH, "Wh"),
    "J": lambda value: quantity(value, "J"),
    "tCO2e": _tonnes,
    "tCO2e/MWh": lambda value: f"{_plain(value)} t/MWh",
    "h": lambda value: f"{_plain(value)} h",
    "W": lambda value: f"{_plain(value)} W",
    "%": lambda value: f"{value:.1f} %",
}
"""How a number of each unit is written."""
