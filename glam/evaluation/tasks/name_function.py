"""Which of four names does this docstring document? Wrong names come from the same package where it has enough."""

from collections.abc import Iterator, Sequence

from glam.evaluation.passages import paragraphs
from glam.evaluation.task import MultipleChoice, Row, draw_key, drawn
from glam.records import Document

NUM_CHOICES = 4
MAX_CHARACTERS = 160


def rows(documents: Sequence[Document], seed: int) -> Iterator[Row]:
    """One row a named docstring; left out where the text gives the name away or too few other names exist."""
    in_order = drawn(documents, seed)
    everywhere = {name for document in in_order if (name := _short_name(document))}
    in_unit: dict[str, set[str]] = {}
    for document in in_order:
        if name := _short_name(document):
            in_unit.setdefault(document.unit, set()).add(name)
    for document in in_order:
        name, summary = _short_name(document), _summary(document)
        if name is None or summary is None or _gives_away(summary, name):
            continue
        wrong = _others(document, name, summary, in_unit[document.unit], seed)
        if len(wrong) < NUM_CHOICES - 1:
            wrong = (wrong + _others(document, name, summary, everywhere - set(wrong), seed))[: NUM_CHOICES - 1]
        if len(wrong) == NUM_CHOICES - 1:
            names = sorted((name, *wrong), key=lambda each: draw_key(seed, "order", document.id, each))
            yield {
                "id": document.id,
                "cluster": document.unit,
                "summary": summary,
                "names": names,
                "answer": names.index(name),
            }


def _short_name(document: Document) -> str | None:
    name = (document.name or "").rpartition(".")[2]
    return name if name and not name.startswith("_") else None


def _summary(document: Document) -> str | None:
    """The first paragraph of prose, cut at a word so that four demonstrations fit a row."""
    for paragraph in paragraphs(document):
        return paragraph if len(paragraph) <= MAX_CHARACTERS else paragraph[:MAX_CHARACTERS].rpartition(" ")[0]
    return None


def _gives_away(text: str, name: str) -> bool:
    return name.casefold() in text.casefold()


def _others(document: Document, name: str, summary: str, names: set[str], seed: int) -> list[str]:
    """A wrong name that stands in the text would be a trap or a clue, so it is no choice either."""
    usable = (each for each in names if each.casefold() != name.casefold() and not _gives_away(summary, each))
    return sorted(usable, key=lambda each: draw_key(seed, "wrong", document.id, each))[: NUM_CHOICES - 1]


def prompt(row: Row) -> str:
    """The summary, then a question that the name answers."""
    return f"{row['summary']}\nName:"


NAME_FUNCTION = MultipleChoice(
    name="name_function",
    source=rows,
    prompt=prompt,
    choices=lambda row: [" " + name for name in row["names"]],
    answer="answer",
)
