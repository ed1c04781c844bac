"""ReCoRD: the entity that a sentence about a news article leaves out (Zhang et al., 2018, arXiv:1810.12885)."""

import re

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import place, texts, value
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row

HIGHLIGHT = re.compile(r"\s*@highlight\s*")
BLANK = "@placeholder"


def prompt(row: Row) -> str:
    """The article with its highlights as a list, at the start of one more entry."""
    return HIGHLIGHT.sub("\n- ", row["passage"]).strip() + "\n-"


def entities(row: Row) -> list[str]:
    """The article's entities, each once. Raises ValueError for one without words."""
    found = list(dict.fromkeys(texts(row, "entities")))
    if not all(each.strip() for each in found):
        raise ValueError("field 'entities' has an empty one")
    return found


def choices(row: Row) -> list[str]:
    """The sentence with each entity in its blank."""
    query = row["query"].strip()
    if BLANK not in query:
        raise ValueError(f"its query has no {BLANK}")
    return [" " + query.replace(BLANK, entity) for entity in entities(row)]


def right(row: Row) -> list[int]:
    """Several names of the one meant may be right."""
    return [place("answers", each, entities(row)) for each in dict.fromkeys(texts(row, "answers"))]


RECORD = MultipleChoice(
    name="record",
    source=Benchmark(
        hub="aps/super_glue",
        subset="record",
        split="validation",
        fields={"passage": str, "query": str, "entities": list, "answers": list, "idx": dict},
        id=lambda row: "-".join(str(value(row, "idx", name)) for name in ("passage", "query")),
        cluster=lambda row: str(value(row, "idx", "passage")),
    ),
    prompt=prompt,
    choices=choices,
    answer=right,
    normalise="none",
    paper=Paper(
        title="ReCoRD",
        group="NLU",
        category="SuperGLUE",
        split="dev",
        shots=2,
        ours="the highlights as a list that the sentence continues",
    ),
)
