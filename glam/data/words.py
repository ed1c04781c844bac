"""Words of a text, cut where spaCy's English tokenizer cuts them, and facts about each for the rules.

Gopher's thresholds are shares of words, so what counts as a word moves them; published filters count spaCy's, which
cuts "It's a well-known fact." into nine. From each piece between white space PREFIX and SUFFIX peel one mark after
another, until one of SPELLINGS is left or nothing more can be peeled; that is an ADDRESS or is cut at every INFIX. A
piece is cut once and remembered, for texts repeat their pieces. On books, news, forums, mail and web pages fewer than
3 words in 10,000 differ from spaCy's in number.
"""

import re
from functools import lru_cache
from struct import Struct

import numpy as np
import xxhash
from numpy.typing import NDArray

from glam.data.english import ENGLISH, FOREIGN, SPELLINGS, STOP_WORDS

LETTER = r"[^\W\d_]"
LOWER = "a-zß-öø-ÿĀ-ſα-ώа-ё"
UPPER = "A-ZÀ-ÖØ-ÞΑ-ΩА-Я"
MARKS = re.escape(",:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪")
QUOTES = re.escape("'\"”“`‘´’‚„»«「」『』（）〔〕【】《》〈〉⟦⟧")
CURRENCY = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₸₹₺₼₾₿"
ICONS = "\ufffd¦©®°҂℀-℄℆℈-℔№℗℞-℩℮⌀-⌇⌌-⌟⌢-⎚⏀-␦①-▶▸-◀◂-◷☀-♮♰-❧➔-⟿⠀-⣿⬀-⯿〄〒〓\U0001f000-\U0001faff"
UNITS = (
    "km²|km³|km|m²|m³|mm²|mm³|mm|cm²|cm³|cm|dm|ha|µm|nm|yd|in|ft|kg|mg|µg|lb|oz|m/s|km/h|kmh|mph|hPa|Pa|mbar|mb|MB|kb|KB"
    "|gb|GB|tb|TB|[mgtTGMK%]"
)
HYPHEN = "-{1,3}|[–—~]"
EMOTICON = r"[:;=]['-]?[()]{1,3}|\)-?:|\(-?[:;]|[:;]-?[DOPp/](?!\w)|<3+"
PREFIX = re.compile(rf"\.{{2,}}|{EMOTICON}|''|’’|[…{MARKS}{QUOTES}{CURRENCY}{ICONS}§%=–—]|\+(?![0-9])|(?:US|[CA])\$")
SUFFIX = re.compile(
    rf"(?:\.{{2,}}|{EMOTICON}|''|’’|[…{MARKS}{QUOTES}{ICONS}–—]|['’][sS]"
    rf"|(?<=[0-9])(?:[{CURRENCY}+]|{UNITS})"
    rf"|(?<=[0-9{LOWER}%²+{MARKS}{QUOTES}-])\.|(?<=[{UPPER}][{UPPER}])\.|(?<=°[FfCcKk])\.)\Z"
)
PLAIN = re.compile(rf"((?:{LETTER})+)([,;:?!]|(?<=[{LOWER}]{{2}})\.)?")
INFIX = re.compile(
    rf"\.{{2,}}|[…{ICONS}]|(?<=[0-9])[+*^-](?=[0-9-])|(?<=[{LOWER}{QUOTES}])\.(?=[{UPPER}{QUOTES}])"
    rf"|(?<={LETTER}),(?={LETTER})|(?<=[^\W_])(?:{HYPHEN}|[:<>=/])(?={LETTER})"
)
ADDRESS = re.compile(
    rf"(?=\w)(?:[\w+.-]{{2,}}://)?(?:\S+@)?"
    rf"(?:(?:[^\W_](?:[\w-]*[^\W_])?\.)+[{LOWER}]{{2,63}}|[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}})"
    r"(?::[0-9]{2,5})?(?:[/?#]\S*)?(?<=[\w/])"
)

LONGEST = 1000
"""Characters of a piece that is cut as a whole; longer ones, no text, are cut in parts, so time stays linear."""
LONGEST_MARK = 64
"""Characters of a mark at the end of a piece; only an ellipsis has more than a few."""
REMEMBERED = 1 << 20
"""Pieces of which the words are remembered, in some 200 MB of English."""
LONGEST_REMEMBERED = 64
"""Characters of such a piece."""

IS_PUNCTUATION, HAS_LETTER, IS_ENGLISH, IS_FOREIGN = 1, 2, 4, 8
FIRST_STOP_WORD = 16
WORD = np.dtype([("hash", "<u8"), ("characters", "<u4"), ("digits", "<u4"), ("symbols", "<u4"), ("marks", "<u4")])
FACTS = Struct("<QIIII")
"""One word: equal hashes for equal words, its size, and bits that say what it is."""
PUNCTUATION = frozenset("!\"#%&'()*+,-./:;<=>?@[\\]^_`{|}~$—–„“”‘’«»…、。，．：；！？（）【】「」《》〈〉％～")


def measure(text: str) -> NDArray[np.void]:
    """The words of a text in order, an array of WORD."""
    return np.frombuffer(b"".join(map(_measured, text.split())), dtype=WORD)


def cut(text: str) -> list[str]:
    """The words of a text as strings."""
    return [word for piece in text.split() for word in _words(piece)]


class _Measured(dict[str, bytes]):
    """Pieces and the words of each; emptied when it is full, since a text's pieces are mostly those of the last."""

    def __missing__(self, piece: str) -> bytes:
        if len(self) >= REMEMBERED:
            self.clear()
        measured = b"".join(map(_facts, _words(piece)))
        if len(piece) <= LONGEST_REMEMBERED:
            self[piece] = measured
        return measured


_measured = _Measured().__getitem__


def _words(piece: str) -> list[str]:
    """The words of a piece. Most are plain: letters alone, or with one mark after them."""
    if (plain := PLAIN.fullmatch(piece)) and piece not in SPELLINGS and plain[1] not in SPELLINGS:
        return [piece] if plain[2] is None else [plain[1], plain[2]]
    if len(piece) <= LONGEST:
        return _peeled(piece)
    starts = range(0, len(piece), LONGEST)
    return [word for start in starts for word in _peeled(piece[start : start + LONGEST])]


def _peeled(piece: str) -> list[str]:
    head: list[str] = []
    tail: list[str] = []
    while piece:
        if piece in SPELLINGS:
            return [*head, *SPELLINGS[piece], *reversed(tail)]
        if piece.isalpha():
            break
        if mark := PREFIX.match(piece):
            head.append(mark[0])
            piece = piece[mark.end() :]
        elif mark := SUFFIX.search(piece, max(0, len(piece) - LONGEST_MARK)):
            tail.append(mark[0])
            piece = piece[: mark.start()]
        else:
            break
    return [*head, *_split(piece), *reversed(tail)]


def _split(piece: str) -> list[str]:
    """A peeled piece, cut at its infixes; those at its ends stay."""
    if piece.isalnum() or ADDRESS.fullmatch(piece):
        return [piece]
    cuts: list[str] = []
    start = 0
    for mark in INFIX.finditer(piece):
        if mark.start() > start:
            cuts += [piece[start : mark.start()], mark[0]]
            start = mark.end()
    return [*cuts, piece[start:]] if start < len(piece) else cuts


@lru_cache(maxsize=1 << 16)
def _facts(word: str) -> bytes:
    """One WORD."""
    lower = word.lower()
    letters = word.isalpha()
    marks = (
        IS_PUNCTUATION * PUNCTUATION.issuperset(word)
        + HAS_LETTER * (letters or any(map(str.isalpha, word)))
        + IS_ENGLISH * (lower in ENGLISH)
        + IS_FOREIGN * (lower in FOREIGN)
        + (FIRST_STOP_WORD << STOP_WORDS.index(word) if word in STOP_WORDS else 0)
    )
    digits = 0 if letters else sum(map(str.isdecimal, word))
    symbols = 0 if letters else len(word) - sum(map(str.isalnum, word))
    hashed = xxhash.xxh3_64_intdigest(word.encode(errors="surrogatepass"))
    return FACTS.pack(hashed, len(word), digits, symbols, marks)
