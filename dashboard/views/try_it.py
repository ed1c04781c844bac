"""Try it: both models go on from one prompt, and which experts they chose is shown token by token."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import words
from dashboard.charts.tokens import token_map
from dashboard.parts import choices, drawing
from dashboard.parts.runs import likely_pair
from dashboard.queries import list_runs, store_root
from dashboard.queries.servers import (
    SERVE_VARIABLE,
    Completion,
    NoAnswer,
    ServedModel,
    complete,
    serve_address,
    served_models,
)

MOST_CHARACTERS, MOST_TOKENS = 8_000, 256
ANSWERS = "completions"
"""Place in the session: the last answers, with what was asked."""


def show() -> None:
    """The page."""
    root = store_root()
    st.title("Try it", anchor=False)
    address = serve_address(root)
    if address is None:
        drawing.nothing(
            f"No server of completions is up for {root}. Start it with all others, or by itself and name it in "
            f"{SERVE_VARIABLE}:",
            "glam up\nglam serve",
        )
        return
    try:
        models = served_models(address)
    except NoAnswer as error:
        st.error(words.plain(str(error)))
        drawing.nothing("Start it again with:", "glam up")
        return
    if not models:
        drawing.nothing("There is no complete run that could write. Train one with:", "glam run quickstart")
        return
    chosen = _choose_models(root, models)
    with st.form("prompt", border=True):
        prompt = st.text_area("Prompt", "def ", max_chars=MOST_CHARACTERS, height=120)
        columns = st.columns(5)
        asked = {
            "prompt": prompt or "",
            "max_new_tokens": int(columns[0].number_input("New tokens, at most", 1, MOST_TOKENS, 48)),
            "temperature": float(columns[1].number_input("Temperature (0: greedy)", 0.0, 5.0, 0.0, 0.1)),
            "top_k": _optional(int(columns[2].number_input("Top k (0: all)", 0, 100_000, 0))),
            "top_p": float(columns[3].number_input("Top p", 0.01, 1.0, 1.0, 0.01)),
            "seed": int(columns[4].number_input("Seed", 0, 2**31 - 1, 0)),
            "experts": True,
        }
        pressed = st.form_submit_button("Complete", type="primary")
    if pressed:
        st.session_state[ANSWERS] = [(model, _answer(address, model, asked)) for model in chosen]
    answers = [pair for pair in st.session_state.get(ANSWERS, []) if pair[0] in chosen]
    for column, (model, answer) in zip(st.columns(max(1, len(answers))), answers, strict=False):
        _draw(column, model, answer)


def _choose_models(root: Path, models: list[ServedModel]) -> list[ServedModel]:
    """Two where there are two; by default likely ones."""
    by_mark = {model.fingerprint: model for model in models}
    titles = {mark: model.title for mark, model in by_mark.items()}
    likely = likely_pair(root, [run for run in list_runs(root) if run.fingerprint in by_mark])
    one, other = (None, None) if likely is None else (run.fingerprint for run in likely)
    left, right = st.columns(2)
    first = by_mark[choices.one_of("Model", titles, "model", default=one, place=left)]
    rest = {mark: title for mark, title in titles.items() if mark != first.fingerprint}
    return [first, by_mark[choices.one_of("Beside", rest, "beside", default=other, place=right)]] if rest else [first]


def _answer(address: str, model: ServedModel, asked: dict[str, object]) -> Completion | str:
    """A text says why there is none."""
    try:
        with st.spinner(f"{words.plain(model.title)} is writing"):
            return complete(address, {"model": model.fingerprint, **asked})
    except NoAnswer as error:
        return str(error)


def _draw(column: DeltaGenerator, model: ServedModel, answer: Completion | str) -> None:
    with column:
        st.subheader(words.plain(model.title), anchor=False)
        if isinstance(answer, str):
            st.error(words.plain(answer))
            return
        st.code(answer.text, language=None, wrap_lines=True)
        speed = len(answer.tokens) / answer.seconds if answer.seconds else None
        blank = "" if answer.text.strip() else ", all blank,"
        st.caption(
            words.plain(
                f"{words.some(len(answer.tokens), 'token')}{blank} in {words.duration(answer.seconds)}, "
                f"{words.UNKNOWN if speed is None else words.number(speed, digits=1)} tokens per second."
            )
        )
        layers = max((len(token.experts or ()) for token in answer.tokens), default=0)
        if not layers:
            st.info("No experts: this model is dense.")
            return
        titles = {str(layer): f"Mixture layer {layer + 1}" for layer in range(layers)}
        layer = int(choices.one_of("Experts of", titles, f"layer_{model.fingerprint}"))
        drawing.chart(
            token_map(
                [(token.text, token.experts or ()) for token in answer.tokens],
                layer,
                "Tokens in the colour of their first expert",
            ),
            f"experts of {model.title}",
            absent="Nothing was written.",
            stretch=False,
        )


def _optional(value: int) -> int | None:
    return value or None
