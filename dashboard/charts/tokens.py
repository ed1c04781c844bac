"""A completion as its tokens, each in the colour of the expert that it chose first. Marks on a canvas, never markup."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.common import Figure, top_legend

CHARACTERS_A_ROW = 46
CHARACTER_PIXELS, ROW_PIXELS = 7.9, 24
MOST_LEGEND_ENTRIES = 16
FONT = "monospace"
SHOWN = str.maketrans({"\n": "↵", "\t": "→", "\r": "↵"})


def token_map(
    tokens: Sequence[tuple[str, Sequence[Sequence[int]]]], layer: int, title: str, *, width: int = CHARACTERS_A_ROW
) -> Figure | None:
    """(text, experts by mixture layer) of each token, coloured by one layer; hovering tells the choices of all.

    None where nothing was written.
    """
    rows: list[dict[str, Any]] = []
    row, column = 0, 0
    for place, (text, experts) in enumerate(tokens, start=1):
        shown = text.translate(SHOWN)[:width] or "·"
        if column and column + len(shown) > width:
            row, column = row + 1, 0
        chosen = experts[layer] if layer < len(experts) else ()
        rows.append(
            {
                "place": place,
                "text": shown,
                "from": column,
                "to": column + len(shown),
                "row": row,
                "expert": str(chosen[0] + 1) if chosen else "none",
                "choices": "; ".join(
                    f"layer {number}: {', '.join(str(each + 1) for each in layers)}"
                    for number, layers in enumerate(experts, start=1)
                )
                or "no experts",
            }
        )
        column += len(shown)
        if "\n" in text:
            row, column = row + 1, 0
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    names = sorted(set(frame["expert"]) - {"none"}, key=int)
    base = alt.Chart(frame, title=title, height=alt.Step(ROW_PIXELS), width=round(width * CHARACTER_PIXELS)).encode(
        x=alt.X("from:Q", axis=None, scale=alt.Scale(domain=[0, width])),
        y=alt.Y("row:O", axis=None),
        tooltip=["place:Q", "text:N", "choices:N"],
    )
    few = 0 < len(names) <= MOST_LEGEND_ENTRIES
    boxes = base.mark_rect(opacity=0.45, stroke="white", strokeWidth=0.5).encode(
        x2="to:Q",
        color=alt.Color(
            "expert:N",
            scale=alt.Scale(domain=names, scheme="tableau20") if names else alt.Scale(range=["#8A8F98"]),
            legend=top_legend("first expert") if few else None,
        ),
    )
    # Its theme gives marks of text a colour that fits light and dark.
    return alt.layer(boxes, base.mark_text(align="left", font=FONT, fontSize=13, dx=1).encode(text="text:N"))
