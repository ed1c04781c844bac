"""WSC of SuperGLUE: does a pronoun refer to a phrase (Levesque et al., 2012; Wang et al., 2019, arXiv:1905.00537)."""

import re

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row


def marked(row: Row) -> str:
    """The text with asterisks around the pronoun, which `span2_index` finds by counting words."""
    text, pronoun, index = row["text"].rstrip(), row["span2_text"], row["span2_index"]
    words = list(re.finditer(r"\S+", text))
    start = -1
    if pronoun and 0 <= index < len(words):
        start = text.find(pronoun, words[index].start(), words[index].start() + len(words[index][0]))
    if start < 0:
        raise ValueError(f"span2_text {pronoun!r} is not word {index} of its text")
    return f"{text[:start]}*{pronoun}*{text[start + len(pronoun) :]}"


def prompt(row: Row) -> str:
    """The marked text, then the question."""
    question = f"In the text above, does the pronoun *{row['span2_text']}* refer to {row['span1_text'].strip()}?"
    return f"{marked(row)}\nQuestion: {question}\nAnswer:"


WSC = MultipleChoice(
    name="wsc",
    source=Benchmark(
        hub="aps/super_glue",
        subset="wsc.fixed",
        split="validation",
        fields={"text": str, "span1_text": str, "span2_text": str, "span2_index": int, "idx": int, "label": int},
        id=lambda row: str(row["idx"]),
    ),
    prompt=prompt,
    choices=lambda _: (" no", " yes"),
    answer="label",
    paper=Paper(
        title="WSC",
        group="NLU",
        category="SuperGLUE",
        split="dev",
        shots=2,
        ours="the asterisks, the question, and the hub's copy with corrected places of the pronouns",
    ),
)
