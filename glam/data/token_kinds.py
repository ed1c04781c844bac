"""What kind of text a token stands for, told from its text alone: TOKEN_KINDS."""

import unicodedata

from glam.data.tokenizer import Tokenizer

TOKEN_KINDS = ("word start", "word piece", "number", "punctuation", "whitespace", "partial character", "other")
"""Each id of a vocabulary is of one of them. A word starts where whitespace stands before its letters; `word piece` is
any other one with letters. Punctuation holds all symbols, `other` what cannot be seen, and ids that no text has."""
REPLACEMENT = "\ufffd"
"""What decoding makes of bytes that are no UTF-8."""


def kind_of_token(tokenizer: Tokenizer, token_id: int) -> str:
    """One of TOKEN_KINDS, for every id of the vocabulary."""
    return "other" if token_id in tokenizer.special_ids else kind_of_text(tokenizer.decode([token_id]))


def kind_of_text(text: str) -> str:
    """One of TOKEN_KINDS, for the text of a token as it is decoded by itself."""
    if REPLACEMENT in text:
        return "partial character"
    if text.isspace():
        return "whitespace"
    # Unicode's major classes: letters and the marks that go with them, numbers, punctuation, symbols.
    classes = {unicodedata.category(character)[0] for character in text}
    if classes & {"L", "M"}:
        return "word start" if text[0].isspace() else "word piece"
    if "N" in classes:
        return "number"
    return "punctuation" if classes & {"P", "S"} else "other"
