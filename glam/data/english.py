"""Words of English text, cut where spaCy's English tokenizer cuts them, and what the rules ask of each.

Gopher's thresholds are shares of words, and what a word is moves them: with punctuation, clitics and compounds cut off,
as spaCy does and as published filters use it, a text of "It's a well-known fact." has nine words. From each piece
between white space PREFIX and SUFFIX peel one mark after another until nothing is left to peel or the rest is a WHOLE
word; what remains is an ADDRESS or is cut at every INFIX. A piece is cut once: texts repeat their pieces.
"""

import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, product

import numpy as np
import xxhash
from numpy.typing import NDArray

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""The eight of Gopher (arXiv:2112.11446, section A.1.1)."""
ENGLISH = frozenset(
    ["the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "was", "on", "with", "as", "are", "be", "this", "by", "have", "from", "at", "not", "you", "or", "an", "they", "which", "we", "has", "but", "were", "their", "can", "been", "he", "his", "i", "will", "if", "there", "when", "all", "your", "would", "do", "who", "what", "about", "she", "had", "her", "more", "so"]
)
"""The most frequent words of English."""
FOREIGN = (
    frozenset(
        "de la le les des du et est une un en que qui dans pour pas sur au aux ce il je vous nous ne plus par avec "  # French
        "el los las y del se por con una para es su lo como más pero sus al está "  # Spanish
        "der und das ist nicht ein eine den dem zu mit auf für von sich auch im wie ich sie dass "  # German
        "il di che è per non della sono gli nel alla anche più si "  # Italian
        "o e do da os em um uma não com são mais das ao pelo foi "  # Portuguese
        "het van een niet dat voor zijn op te met aan ook maar naar bij wordt "  # Dutch
        "och att det som på är av för till den inte med har ett om jag var "  # Swedish, Norwegian, Danish
        "og ikke af er til jeg det at de som "
        "w i z na nie się jest do że to jak o "  # Polish
        "a je se na ve že si s v pro jako "  # Czech
        "ve bir bu için ile da de çok olarak "  # Turkish
        "și în cu din care pe nu sunt mai este "  # Romanian
        "dan yang di ini itu untuk dengan dari pada tidak akan ke "  # Indonesian
        "и в не на что с по это как из для".split()  # Russian
    )
    - ENGLISH
)
"""The same of other languages, where English has no such frequent word."""

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
EMOTICON = r"[:;=]['-]?[()]{1,3}|[()]-?:|[:;]-?[DOPp/](?!\w)|<3+"
PREFIX = re.compile(rf"\.{{2,}}|{EMOTICON}|[…{MARKS}{QUOTES}{CURRENCY}{ICONS}§%=–—]|\+(?![0-9])|(?:US|[CA])\$")
SUFFIX = re.compile(
    rf"(?:\.{{2,}}|{EMOTICON}|[…{MARKS}{QUOTES}{ICONS}–—]|['’][sS]"
    rf"|(?<=[0-9])(?:[{CURRENCY}+]|{UNITS})"
    rf"|(?<=[0-9{LOWER}%²+{MARKS}{QUOTES}-])\.|(?<=[{UPPER}][{UPPER}])\.|(?<=°[FfCcKk])\.)\Z"
)
PLAIN = re.compile(rf"((?:{LETTER})+)([,;:?!]?)")
INFIX = re.compile(
    rf"\.{{2,}}|[…{ICONS}]|(?<=[0-9])[+*^-](?=[0-9-])|(?<=[{LOWER}{QUOTES}])\.(?=[{UPPER}{QUOTES}])"
    rf"|(?<={LETTER}),(?={LETTER})|(?<=[^\W_])(?:{HYPHEN}|[:<>=/])(?={LETTER})"
)
ADDRESS = re.compile(
    rf"(?=\w)(?:[\w+.-]{{2,}}://)?(?:\S+@)?(?:(?:[^\W_](?:[\w-]*[^\W_])?\.)+[{LOWER}]{{2,63}}|[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}})"
    r"(?::[0-9]{2,5})?(?:[/?#]\S*)?(?<=[\w/])"
)

WHOLE = frozenset(
    ["Mt.", "Ak.", "Ala.", "Apr.", "Ariz.", "Ark.", "Aug.", "Calif.", "Colo.", "Conn.", "Dec.", "Del.", "Feb.", "Fla.", "Ga.", "Ia.", "Id.", "Ill.", "Ind.", "Jan.", "Jul.", "Jun.", "Kan.", "Kans.", "Ky.", "La.", "Mar.", "Mass.", "Mich.", "Minn.", "Miss.", "N.C.", "N.D.", "N.H.", "N.J.", "N.M.", "N.Y.", "Neb.", "Nebr.", "Nev.", "Nov.", "Oct.", "Okla.", "Ore.", "Pa.", "S.C.", "Sep.", "Sept.", "Tenn.", "Va.", "Wash.", "Wis.", "a.m.", "Adm.", "Bros.", "co.", "Co.", "Corp.", "D.C.", "Dr.", "e.g.", "E.g.", "E.G.", "Gen.", "Gov.", "i.e.", "I.e.", "I.E.", "Inc.", "Jr.", "Ltd.", "Md.", "Messrs.", "Mo.", "Mont.", "Mr.", "Mrs.", "Ms.", "p.m.", "Ph.D.", "Prof.", "Rep.", "Rev.", "Sen.", "St.", "vs.", "v.s.", "C++", "and/or", "w/o", "'re", "'Cause", "'cause", "'cos", "'Cos", "'coz", "'Coz", "'cuz", "'Cuz", "'bout", "'em", "'ll", "'nuff", "'d", "ma'am", "Ma'am", "o'clock", "O'clock", "lovin'", "Lovin'", "havin'", "Havin'", "doin'", "Doin'", "goin'", "Goin'", "nothin'", "Nothin'", "nuthin'", "Nuthin'", "ol'", "Ol'", "somethin'", "Somethin'", "'s", "'S", "‘s", "‘S", "’s", "''", "8)"]
)
"""Words from which no mark is peeled."""


def _contractions() -> Iterator[tuple[str, ...]]:
    """What is written as one word, in parts, as spaCy lists it."""
    personal = ("i", "you", "he", "she", "it", "we", "they")
    question = ("who", "what", "when", "where", "why", "how", "there", "that", "this", "these", "those")
    modal = ("could", "might", "must", "should", "would")
    verbs = (*modal, "ca", "do", "does", "did", "had", "may", "need", "ought", "sha", "wo")
    yield from product(personal + question, ("'ll", "'d"))
    yield from product(personal + question, ("'ll", "'d"), ("'ve",))
    yield from product(("i", "you", "we", "they", "not", *question, *modal), ("'ve",))
    yield from product(("you", "we", "they", *question), ("'re",))
    yield from product(("he", "she", "it", *question), ("'s",))
    yield from product((*verbs, "ai", "are", "is", "was", "were", "have", "has", "dare"), ("n't",))
    yield from product(verbs, ("n't",), ("'ve",))
    yield from (("i", "'m"), ("i", "'m", "a"), ("y'", "all"), ("c'm", "on"), ("how", "'d", "'y"))
    yield from (("can", "not"), ("gon", "na"), ("got", "ta"))


def _spellings(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """With either apostrophe or none, and with a capital."""
    for apostrophe in ("'", "’", ""):
        small = tuple(part.replace("'", apostrophe) for part in parts)
        yield from (small, (small[0].capitalize(), *small[1:]))


NO_CONTRACTION = frozenset("ill its hell shell shed were well whore".split())
CONTRACTIONS = {
    "".join(parts): parts
    for parts in (
        *chain.from_iterable(map(_spellings, _contractions())),
        *product(("let", "Let"), ("'s", "’s")),
        *product(map(str, range(1, 13)), ("a.m.", "p.m.", "am", "pm")),
    )
    if "".join(parts).lower() not in NO_CONTRACTION
}

LONGEST = 1000
"""Characters of a piece that is cut as a whole; longer ones, no text, are cut in parts, so time stays linear."""
REMEMBERED = 1 << 18
"""Pieces of which the words are remembered."""

IS_PUNCTUATION, HAS_LETTER, IS_ENGLISH, IS_FOREIGN = 1, 2, 4, 8
FIRST_STOP_WORD = 16
WORD = np.dtype([("hash", "<u8"), ("characters", "<u4"), ("digits", "<u4"), ("symbols", "<u4"), ("marks", "<u4")])
"""One word: equal hashes for equal words, its size, and bits that say what it is."""
PUNCTUATION = frozenset("!\"#%&'()*+,-./:;<=>?@[\\]^_`{|}~$—–„“”‘’«»…、。，．：；！？（）【】「」《》〈〉％～")


def words(text: str) -> NDArray[np.void]:
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
        measured = self[piece] = b"".join(map(_measure, _words(piece)))
        return measured


_measured = _Measured().__getitem__


def _words(piece: str) -> list[str]:
    """Three of four pieces that are met for the first time are plain: letters alone, or with one mark after them."""
    if (plain := PLAIN.fullmatch(piece)) and not _parts(plain[1]):
        return [each for each in plain.groups() if each]
    starts = range(0, len(piece), LONGEST)
    return [word for start in starts for word in _peeled(piece[start : start + LONGEST])]


def _peeled(piece: str) -> list[str]:
    head: list[str] = []
    tail: list[str] = []
    while piece:
        if parts := _parts(piece):
            return [*head, *parts, *reversed(tail)]
        if mark := PREFIX.match(piece):
            head.append(mark[0])
            piece = piece[mark.end() :]
        elif mark := SUFFIX.search(piece):
            tail.append(mark[0])
            piece = piece[: mark.start()]
        else:
            break
    return [*head, *_split(piece), *reversed(tail)]


def _parts(piece: str) -> tuple[str, ...] | None:
    """The words of a piece from which nothing is peeled; None for any other."""
    if piece in WHOLE or (len(piece) == 2 and piece[1] == "." and "a" <= piece[0] <= "z"):
        return (piece,)
    return CONTRACTIONS.get(piece)


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


@lru_cache(maxsize=REMEMBERED)
def _measure(word: str) -> bytes:
    """One WORD."""
    lower = word.lower()
    marks = (
        IS_PUNCTUATION * PUNCTUATION.issuperset(word)
        + HAS_LETTER * (word.isalpha() or any(map(str.isalpha, word)))
        + IS_ENGLISH * (lower in ENGLISH)
        + IS_FOREIGN * (lower in FOREIGN)
        + (FIRST_STOP_WORD << STOP_WORDS.index(word) if word in STOP_WORDS else 0)
    )
    digits, symbols = (0, 0) if word.isalpha() else (sum(map(str.isdecimal, word)), len(word) - sum(map(str.isalnum, word)))
    return struct.pack("<QIIII", xxhash.xxh3_64_intdigest(word.encode(errors="surrogatepass")), len(word), digits, symbols, marks)
