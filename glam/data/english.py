"""Lists of English: words by which it is known, and spellings that a tokenizer must know.

Abbreviations and contractions are those of spaCy's English tokenizer (3.8), whose words published filters count.
"""

from collections.abc import Iterator
from itertools import chain, product
from string import ascii_lowercase


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""The eight of Gopher (arXiv:2112.11446, section A.1.1)."""
ENGLISH = _listed(
    "the of and to in a is that for it was on with as are be this by have from at not you or an they which we has but "
    "were their can been he his i will if there when all your would do who what about she had her more so"
)
"""Some of the most frequent words of English."""
FOREIGN = (
    _listed("de la le les des du et est une un en que qui dans pour pas sur au aux ce il je vous nous ne plus par avec")
    | _listed("el los las y del se por con una para es su lo como más pero sus al está")  # Spanish; above: French
    | _listed("der und das ist nicht ein eine den dem zu mit auf für von sich auch im wie ich sie dass")  # German
    | _listed("il di che è per non della sono gli nel alla anche più si")  # Italian
    | _listed("o e do da os em um uma não com são mais das ao pelo foi")  # Portuguese
    | _listed("het van een niet dat voor zijn op te met aan ook maar naar bij wordt")  # Dutch
    | _listed("och att det som på är av för till den inte med har ett om jag var")  # Swedish
    | _listed("og ikke af er til jeg det at de som")  # Danish, Norwegian
    | _listed("w i z na nie się jest do że to jak o")  # Polish
    | _listed("a je se na ve že si s v pro jako")  # Czech
    | _listed("ve bir bu için ile da de çok olarak")  # Turkish
    | _listed("și în cu din care pe nu sunt mai este")  # Romanian
    | _listed("dan yang di ini itu untuk dengan dari pada tidak akan ke")  # Indonesian
    | _listed("и в не на что с по это как из для")  # Russian
) - ENGLISH
"""The same of other languages, but for those that English has too."""

WHOLE = _listed(
    "Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. "
    "Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. "
    "Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. "
    "i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. C++ "
    "and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout 'em 'll 'nuff 'd ma'am Ma'am o'clock O'clock "
    "lovin' Lovin' havin' Havin' doin' Doin' goin' Goin' nothin' Nothin' nuthin' Nuthin' ol' Ol' somethin' Somethin' "
    "'s 'S ‘s ‘S ’s '' 8)"
)
"""What keeps its marks."""


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


NO_CONTRACTION = _listed("ill its hell shell shed were well whore")
SPELLINGS = {
    "".join(parts): parts
    for parts in (
        *((word,) for word in WHOLE),
        *((f"{letter}.",) for letter in ascii_lowercase),
        *chain.from_iterable(map(_spellings, _contractions())),
        *product(("let", "Let"), ("'s", "’s")),
        *product(map(str, range(1, 13)), ("a.m.", "p.m.", "am", "pm")),
    )
    if "".join(parts).lower() not in NO_CONTRACTION
}
"""What is not to be peeled, and the words of it: most of them one."""
