"""Prose out of documents: what the offline tasks cut their passages from."""

import re

from glam.records import Document

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`'\"(])")
RULE = re.compile(r"([-=~^*+#_])\1{2,}")
"""The line under a heading."""
BLANK_LINE = re.compile(r"\n\s*\n")
MIN_WORDS = 5
MIN_PROSE_FRACTION = 0.85
"""Share of letters, spaces and plain punctuation that tells a sentence from a table, code or a parameter list."""


def paragraphs(document: Document) -> list[str]:
    """Paragraphs of prose with white space collapsed; code, tables, lists and headings are left out."""
    return [" ".join(block.split()) for block in BLANK_LINE.split(document.text) if _is_prose(block.strip("\n"))]


def sentences(paragraph: str) -> list[str]:
    """Sentences of a paragraph; abbreviations may cut one short, which only makes a passage longer or shorter."""
    return SENTENCE_END.split(paragraph)


def _is_prose(block: str) -> bool:
    """Running text: lines with one indentation and none of rules, that read like words."""
    lines = block.splitlines()
    text = " ".join(block.split())
    indentations = {len(line) - len(line.lstrip()) for line in lines}
    if len(indentations) != 1 or any(RULE.fullmatch(line.strip()) for line in lines):
        return False
    if not text[0].isalpha() or len(text.split()) < MIN_WORDS:
        return False
    plain = sum(character.isalpha() or character in " .,;'\"" for character in text)
    return plain >= MIN_PROSE_FRACTION * len(text)
