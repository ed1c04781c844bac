"""Last word of a passage in which it occurred before, after LAMBADA (Paperno et al., 2016, arXiv:1606.06031).

LAMBADA's passages were picked by people who could guess the word from the passage alone; here the word
stands earlier in the passage, so it can be found there. Chance is drawing a word of the passage at random.
"""

import re
from collections.abc import Iterator, Sequence

from glam.evaluation.passages import paragraphs, sentences
from glam.evaluation.task import Completion, Row, draw_key, drawn
from glam.records import Document

LAST_WORD_OF_SENTENCE = re.compile(r"^(?P<before>.*\S) (?P<word>[A-Za-z]{4,})[.!?]$", re.DOTALL)
WORD = re.compile(r"[A-Za-z]+")
MIN_CHARACTERS, MAX_CHARACTERS = 60, 200
"""Short enough for four demonstrations in a row of 256 tokens."""


def rows(documents: Sequence[Document], seed: int) -> Iterator[Row]:
    """At most one passage a document: the candidate whose draw comes first."""
    for document in drawn(documents, seed):
        candidates = sorted(set(_passages(document)), key=lambda passage: draw_key(seed, "passage", *passage))
        if candidates:
            before, word = candidates[0]
            yield {"id": document.id, "cluster": document.unit, "before": before, "word": word}


def _passages(document: Document) -> Iterator[tuple[str, str]]:
    for paragraph in paragraphs(document):
        parts = sentences(paragraph)
        for end in range(1, len(parts) + 1):
            for start in range(end - 1, -1, -1):
                passage = " ".join(parts[start:end])
                if len(passage) > MAX_CHARACTERS:
                    break
                found = LAST_WORD_OF_SENTENCE.match(passage)
                if found and len(passage) >= MIN_CHARACTERS and found["word"] in WORD.findall(found["before"]):
                    yield found["before"], found["word"]


def _chance(row: Row) -> float:
    words = WORD.findall(row["before"])
    return words.count(row["word"]) / len(words)


LAST_WORD = Completion(
    name="last_word",
    source=rows,
    prompt=lambda row: row["before"],
    target=lambda row: " " + row["word"],
    chance=_chance,
)
