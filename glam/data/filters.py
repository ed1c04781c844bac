"""RULES: why a document does not go on. `None` means keep; the reason becomes a column on the data page.

Thresholds are fields of FilterConfig, which says the published value of each and where it is published. A rule whose
threshold is None asks nothing, and none asks for a quantity (see `measures`) before its threshold is known.
"""

from collections.abc import Callable

from glam.config import FilterConfig
from glam.data import words
from glam.data.measures import BOILERPLATE, BULLETS, ELLIPSES, Measures
from glam.records import Document

Rule = Callable[[Measures, FilterConfig], str | None]


def too_short(text: Measures, config: FilterConfig) -> str | None:
    """Too few characters to learn from."""
    least = config.min_characters
    return "too_short" if least is not None and len(text.text) < least else None


def too_long(text: Measures, config: FilterConfig) -> str | None:
    """So many characters that it is a dump, not a text."""
    most = config.max_characters
    return "too_long" if most is not None and len(text.text) > most else None


def lorem_ipsum(text: Measures, config: FilterConfig) -> str | None:
    """A page of filler (C4)."""
    return "lorem_ipsum" if not config.allow_lorem_ipsum and "lorem ipsum" in text.text.lower() else None


def curly_brackets(text: Measures, config: FilterConfig) -> str | None:
    """Code (C4)."""
    return "curly_brackets" if not config.allow_curly_brackets and "{" in text.text else None


def repeated_lines(text: Measures, config: FilterConfig) -> str | None:
    """Menus and listings (Gopher)."""
    most = config.max_repeated_line_fraction
    return "repeated_lines" if most is not None and text.repeated_line_share > most else None


def repeated_line_characters(text: Measures, config: FilterConfig) -> str | None:
    """The same by their length (Gopher)."""
    most = config.max_repeated_line_character_fraction
    return "repeated_line_characters" if most is not None and text.repeated_line_character_share > most else None


def repeated_paragraphs(text: Measures, config: FilterConfig) -> str | None:
    """Pages that were joined of equal parts (Gopher)."""
    most = config.max_repeated_paragraph_fraction
    return "repeated_paragraphs" if most is not None and text.repeated_paragraph_share > most else None


def repeated_paragraph_characters(text: Measures, config: FilterConfig) -> str | None:
    """The same by their length (Gopher)."""
    most = config.max_repeated_paragraph_character_fraction
    repeated = most is not None and text.repeated_paragraph_character_share > most
    return "repeated_paragraph_characters" if repeated else None


def bullet_lines(text: Measures, config: FilterConfig) -> str | None:
    """Nothing but a list (Gopher)."""
    most = config.max_bullet_line_fraction
    too_many = most is not None and text.line_share(line.lstrip().startswith(BULLETS) for line in text.lines) > most
    return "bullet_lines" if too_many else None


def ellipsis_lines(text: Measures, config: FilterConfig) -> str | None:
    """Teasers that were cut off (Gopher)."""
    most = config.max_ellipsis_line_fraction
    too_many = most is not None and text.line_share(line.rstrip().endswith(ELLIPSES) for line in text.lines) > most
    return "ellipsis_lines" if too_many else None


def boilerplate_lines(text: Measures, config: FilterConfig) -> str | None:
    """Notices of the site, not text of its pages (C4)."""
    most = config.max_boilerplate_line_fraction
    too_many = most is not None and text.line_share(bool(BOILERPLATE.search(line)) for line in text.lines) > most
    return "boilerplate_lines" if too_many else None


def few_terminal_lines(text: Measures, config: FilterConfig) -> str | None:
    """Headings, menus and tables instead of sentences (C4, FineWeb)."""
    least = config.min_terminal_line_fraction
    too_few = least is not None and text.line_share(map(text.ends_sentence, text.lines)) < least
    return "few_terminal_lines" if too_few else None


def few_sentences(text: Measures, config: FilterConfig) -> str | None:
    """No running text (C4)."""
    least = config.min_sentences
    return "few_sentences" if least is not None and text.num_sentences < least else None


def too_few_words(text: Measures, config: FilterConfig) -> str | None:
    """Too few words to learn from (Gopher)."""
    least = config.min_words
    return "too_few_words" if least is not None and text.num_words < least else None


def too_many_words(text: Measures, config: FilterConfig) -> str | None:
    """So many words that it is a dump, not a text (Gopher)."""
    most = config.max_words
    return "too_many_words" if most is not None and text.num_words > most else None


def too_many_symbols(text: Measures, config: FilterConfig) -> str | None:
    """Tables, banners and code."""
    most = config.max_symbol_fraction
    return "too_many_symbols" if most is not None and text.character_share("symbols") > most else None


def too_many_digits(text: Measures, config: FilterConfig) -> str | None:
    """Listings of numbers."""
    most = config.max_digit_fraction
    return "too_many_digits" if most is not None and text.character_share("digits") > most else None


def short_words(text: Measures, config: FilterConfig) -> str | None:
    """Fragments and spaced letters (Gopher)."""
    least = config.min_mean_word_characters
    return "short_words" if least is not None and text.mean_word_characters < least else None


def long_words(text: Measures, config: FilterConfig) -> str | None:
    """Encoded data and lost white space (Gopher)."""
    most = config.max_mean_word_characters
    return "long_words" if most is not None and text.mean_word_characters > most else None


def too_many_hashes(text: Measures, config: FilterConfig) -> str | None:
    """Tags instead of text (Gopher)."""
    most = config.max_hashes_per_word
    return "too_many_hashes" if most is not None and text.per_word("#") > most else None


def too_many_ellipses(text: Measures, config: FilterConfig) -> str | None:
    """Teasers that were cut off, anywhere in the text (Gopher)."""
    most = config.max_ellipses_per_word
    return "too_many_ellipses" if most is not None and text.per_word(*ELLIPSES) > most else None


def few_lettered_words(text: Measures, config: FilterConfig) -> str | None:
    """Numbers and punctuation instead of words (Gopher)."""
    least = config.min_lettered_word_fraction
    return "few_lettered_words" if least is not None and text.word_share(words.HAS_LETTER) < least else None


def no_stop_words(text: Measures, config: FilterConfig) -> str | None:
    """Words that running English cannot avoid are missing (Gopher)."""
    least = config.min_stop_words
    return "no_stop_words" if least is not None and text.num_stop_words < least else None


def not_english(text: Measures, config: FilterConfig) -> str | None:
    """Fewer of the frequent words of English than of other languages, or hardly any (C4, which asks a model)."""
    return "not_english" if config.language == "en" and not text.is_english else None


def top_ngram(n: int) -> Rule:
    """One phrase over and over (Gopher), of 2, 3 or 4 words."""

    def rule(text: Measures, config: FilterConfig) -> str | None:
        if config.max_top_ngram_fractions is None:
            return None
        most = config.max_top_ngram_fractions[n - TOP_NGRAMS[0]]
        return f"top_{n}gram" if text.top_ngram_bound(n) > most and text.top_ngram_share(n) > most else None

    return rule


def repeated_ngrams(n: int) -> Rule:
    """Passages that return (Gopher), in runs of 5 to 10 words."""

    def rule(text: Measures, config: FilterConfig) -> str | None:
        if config.max_repeated_ngram_fractions is None:
            return None
        most = config.max_repeated_ngram_fractions[n - REPEATED_NGRAMS[0]]
        repeated = text.repeated_ngram_bound > most and text.repeated_ngram_share(n) > most
        return f"repeated_{n}grams" if repeated else None

    return rule


TOP_NGRAMS = range(2, 5)
REPEATED_NGRAMS = range(5, 11)
RULES: dict[str, Rule] = {
    "too_short": too_short,
    "too_long": too_long,
    "curly_brackets": curly_brackets,
    "lorem_ipsum": lorem_ipsum,
    "repeated_lines": repeated_lines,
    "repeated_line_characters": repeated_line_characters,
    "repeated_paragraphs": repeated_paragraphs,
    "repeated_paragraph_characters": repeated_paragraph_characters,
    "bullet_lines": bullet_lines,
    "ellipsis_lines": ellipsis_lines,
    "boilerplate_lines": boilerplate_lines,
    "few_terminal_lines": few_terminal_lines,
    "few_sentences": few_sentences,
    "too_few_words": too_few_words,
    "too_many_words": too_many_words,
    "too_many_symbols": too_many_symbols,
    "too_many_digits": too_many_digits,
    "short_words": short_words,
    "long_words": long_words,
    "too_many_hashes": too_many_hashes,
    "too_many_ellipses": too_many_ellipses,
    "few_lettered_words": few_lettered_words,
    "no_stop_words": no_stop_words,
    "not_english": not_english,
    **{f"top_{n}gram": top_ngram(n) for n in TOP_NGRAMS},
    **{f"repeated_{n}grams": repeated_ngrams(n) for n in REPEATED_NGRAMS},
}
"""By reason, in the order in which they are asked: of characters first, then of lines, of words, of runs of words."""


def first_reason(document: Document, config: FilterConfig) -> str | None:
    """The reason of the first rule that refuses the document; None keeps it."""
    text = Measures(document.text)
    return next((reason for rule in RULES.values() if (reason := rule(text, config))), None)
