"""What the rules ask of a text: each quantity is computed when it is first asked for, and once.

Words come as an array of facts (see `words`), so shares of words are sums, and runs of words (n-grams) are compared
by 64-bit hashes. How Gopher's table A1 counts characters is not written there; we count as the published filters do: a
run has the characters of its words, in the most frequent run with a space between two; the whole is the text's length.
"""

import re
from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glam.data import repetition, words
from glam.data.ngrams import run_hashes

BULLETS = ("•", "-")
ELLIPSES = ("...", "…")
TERMINAL_MARKS = (".", "!", "?", '"', "”")
"""What a line ends with that C4 keeps (arXiv:1910.10683, section 2.2), and the typographic form of the last."""
SENTENCE_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s|$)")
BOILERPLATE = re.compile(
    r"javascript|terms of use|(?:privacy|cookie) policy|uses cookies|use (?:of )?cookies", re.IGNORECASE
)
"""What C4 drops a line for: JavaScript in the paper, the phrases about terms and cookies in its code."""
LEAST_ENGLISH = 0.05
"""Share of the words with a letter that are frequent ones of English in any English text."""
SHORTEST_REPEATED = 5
"""Words of the shortest runs in which Gopher counts repetition."""


class Measures:
    """Quantities of one text. A share of nothing is 0."""

    def __init__(self, text: str):
        self.text = text

    @cached_property
    def lines(self) -> list[str]:
        """Lines that are not empty, as they stand: white space alone is a line, and repeats."""
        return [line for line in self.text.split("\n") if line]

    @cached_property
    def paragraphs(self) -> list[str]:
        """What empty lines separate."""
        return [each for each in (each.strip("\n") for each in self.text.strip().split("\n\n")) if each]

    @cached_property
    def words(self) -> NDArray[np.void]:
        """All words, punctuation included, as an array of `words.WORD`."""
        return words.measure(self.text)

    @cached_property
    def num_words(self) -> int:
        """Words that are more than punctuation."""
        return len(self.words) - self.count(words.IS_PUNCTUATION)

    @property
    def mean_word_characters(self) -> float:
        """Of the words that are more than punctuation."""
        characters = self.words["characters"]
        of_words = characters[self.words["marks"] & words.IS_PUNCTUATION == 0].sum()
        return _share(int(of_words), self.num_words)

    @property
    def num_stop_words(self) -> int:
        """How many of Gopher's eight occur."""
        marks = int(np.bitwise_or.reduce(self.words["marks"]))
        return (marks // words.FIRST_STOP_WORD).bit_count()

    @property
    def num_sentences(self) -> int:
        """Sentences in lines that end with one."""
        return sum(len(SENTENCE_END.findall(line)) or 1 for line in filter(self.ends_sentence, self.lines))

    @property
    def is_english(self) -> bool:
        """Whether frequent words of English are frequent, and more so than those of other languages."""
        num_english = self.count(words.IS_ENGLISH)
        return num_english > self.count(words.IS_FOREIGN) and num_english >= LEAST_ENGLISH * self.count(
            words.HAS_LETTER
        )

    @staticmethod
    def ends_sentence(line: str) -> bool:
        """Whether C4 would keep the line."""
        line = line.rstrip()
        return line.endswith(TERMINAL_MARKS) and not line.endswith(ELLIPSES)

    def count(self, mark: int) -> int:
        """Words that bear a mark of `words`."""
        return int(np.count_nonzero(self.words["marks"] & mark))

    def word_share(self, mark: int) -> float:
        """Share of all words that bear a mark."""
        return _share(self.count(mark), len(self.words))

    def character_share(self, kind: str) -> float:
        """Share of the characters that are `digits` or `symbols`."""
        return _share(int(self.words[kind].sum()), len(self.text))

    def per_word(self, *marks: str) -> float:
        """Occurrences of any of the strings for each word."""
        return _share(sum(map(self.text.count, marks)), len(self.words))

    def line_share(self, lines: Iterable[bool]) -> float:
        """Share of lines for which an answer is yes."""
        return _share(sum(lines), len(self.lines))

    # Repetition: Gopher, table A1

    @property
    def repeated_line_share(self) -> float:
        """Share of the lines that stood there before."""
        return _share(len(self.lines) - len(set(self.lines)), len(self.lines))

    @property
    def repeated_line_character_share(self) -> float:
        """Characters of such lines as a share of the text."""
        return _share(_characters(self.lines) - _characters(set(self.lines)), len(self.text))

    @property
    def repeated_paragraph_share(self) -> float:
        """Share of the paragraphs that stood there before."""
        return _share(len(self.paragraphs) - len(set(self.paragraphs)), len(self.paragraphs))

    @property
    def repeated_paragraph_character_share(self) -> float:
        """Characters of such paragraphs as a share of the text."""
        return _share(_characters(self.paragraphs) - _characters(set(self.paragraphs)), len(self.text))

    def top_ngram_share(self, n: int) -> float:
        """Characters of all occurrences of the most frequent run of `n` words as a share of the text."""
        hash_N = run_hashes(self.words["hash"], n)
        return _share(repetition.top_characters(hash_N, self._run_characters(n) + n - 1), len(self.text))

    def top_ngram_bound(self, n: int) -> float:
        """At least that share, for a tenth of the work."""
        longest = int(self._run_characters(n).max(initial=0)) + n - 1
        return _share(self._bigram_occurrences * longest, len(self.text))

    def repeated_ngram_share(self, n: int) -> float:
        """Characters within repeated runs of `n` words as a share of the text."""
        hash_N = run_hashes(self.words["hash"], n)
        return _share(repetition.repeated_characters(hash_N, self._run_characters(n), n), len(self.text))

    @cached_property
    def repeated_ngram_bound(self) -> float:
        """At least that share, of `SHORTEST_REPEATED` and more words."""
        hash_N = run_hashes(self.words["hash"], SHORTEST_REPEATED)
        covered = repetition.covered_characters(hash_N, self.words["characters"], SHORTEST_REPEATED)
        return _share(covered, len(self.text))

    @cached_property
    def _bigram_occurrences(self) -> int:
        return repetition.most_occurrences(run_hashes(self.words["hash"], 2))

    @cached_property
    def _ends(self) -> NDArray[np.uint64]:
        return repetition.ends(self.words["characters"])

    def _run_characters(self, n: int) -> NDArray[np.uint64]:
        return repetition.run_characters(self._ends, n)


def _characters(texts: Iterable[str]) -> int:
    return sum(map(len, texts))


def _share(part: float, whole: int) -> float:
    return part / whole if whole else 0.0
