"""The true continuation of a passage out of four, after HellaSwag (Zellers et al., 2019, arXiv:1905.07830).

Wrong ones are continuations of other held-out documents of the same source, cut at the same place and of
similar length; HellaSwag's were written by a model and kept where they fooled another.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from glam.evaluation.passages import paragraphs
from glam.evaluation.task import MultipleChoice, Row, draw_key, drawn
from glam.records import Document

CONTEXT_WORDS, CONTINUATION_WORDS = 20, 10
NUM_CHOICES = 4
NEIGHBOURS = 12
"""Wrong continuations are drawn from so many of the nearest in length."""


def rows(documents: Sequence[Document], seed: int) -> Iterator[Row]:
    """At most one passage a document; a document without three strangers of its source is left out."""
    cuts = [(document, *cut) for document in drawn(documents, seed) if (cut := _cut(document, seed))]
    by_length: dict[str, list[tuple[int, str, str]]] = {}
    for document, _, continuation in cuts:
        by_length.setdefault(document.source, []).append((len(continuation), document.id, continuation))
    for lengths in by_length.values():
        lengths.sort()
    for document, context, continuation in cuts:
        wrong = _strangers(document, continuation, by_length[document.source], seed)
        if len(wrong) == NUM_CHOICES - 1:
            choices = sorted((continuation, *wrong), key=lambda each: draw_key(seed, "order", document.id, each))
            yield {
                "id": document.id,
                "cluster": document.unit,
                "context": context,
                "choices": choices,
                "answer": choices.index(continuation),
            }


def _cut(document: Document, seed: int) -> tuple[str, str] | None:
    long_enough = [
        words for each in paragraphs(document) if len(words := each.split()) >= CONTEXT_WORDS + CONTINUATION_WORDS
    ]
    if not long_enough:
        return None
    words = min(long_enough, key=lambda words: draw_key(seed, "paragraph", document.id, *words))
    return " ".join(words[:CONTEXT_WORDS]), " ".join(words[CONTEXT_WORDS : CONTEXT_WORDS + CONTINUATION_WORDS])


def _strangers(document: Document, true: str, by_length: list[tuple[int, str, str]], seed: int) -> list[str]:
    here = bisect_left(by_length, (len(true), document.id, true))
    near = by_length[max(0, here - NEIGHBOURS) : here + NEIGHBOURS + 1]
    others = sorted({text for _, other, text in near if other != document.id and text != true})
    return sorted(others, key=lambda text: draw_key(seed, "wrong", document.id, text))[: NUM_CHOICES - 1]


CONTINUATION = MultipleChoice(
    name="continuation",
    source=rows,
    prompt=lambda row: row["context"],
    choices=lambda row: [" " + choice for choice in row["choices"]],
    answer="answer",
)
