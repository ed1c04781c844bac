"""Comparing what a model wrote with the accepted answers, as the official scorers of the benchmarks do.

Every comparison is `(prediction, references) -> float` in [0, 1] and ignores white space around the prediction;
text from a stop text on is cut by the caller.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

UNANSWERABLE = "unanswerable"
"""Stands for "no answer" in SQuAD v2, whose files leave the answers empty there."""
CANNOT_ANSWER = "CANNOTANSWER"
"""QuAC's own word for it."""

ARTICLE = re.compile(r"\b(?:a|an|the)\b")
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
# TriviaQA puts spaces in place of punctuation, and its punctuation has four more quotes.
SPACED_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`", " "))
WORD = re.compile(r"\w+(?:['’-]\w+)*")
BETWEEN_SPANS = re.compile(r",?\s+and\s+|,\s+")


def normalise(text: str) -> str:
    """SQuAD's: lower case, then without punctuation, articles and superfluous white space."""
    return " ".join(ARTICLE.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split())


def normalise_triviaqa(text: str) -> str:
    """TriviaQA's: as SQuAD's, but punctuation, underscores among it, separates words."""
    return " ".join(ARTICLE.sub(" ", text.lower().translate(SPACED_PUNCTUATION)).split())


def normalise_drop(text: str) -> str:
    """DROP's: words end at hyphens too, numbers in figures are equal where their values are."""
    words = (ARTICLE.sub(" ", _drop_word(word.lower())).strip() for word in re.split(r"[\s-]", text))
    return " ".join(word for word in words if word)


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1.0 if it is a reference after SQuAD's normalisation (Rajpurkar et al., 2016)."""
    return float(normalise(prediction) in map(normalise, references))


def token_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of the words of prediction and reference, for the best reference (Rajpurkar et al., 2016)."""
    return max(_word_f1(prediction, reference) for reference in references)


def triviaqa_exact_match(prediction: str, references: Sequence[str]) -> float:
    """1.0 if it is an alias after TriviaQA's normalisation (Joshi et al., 2017)."""
    return float(normalise_triviaqa(prediction) in map(normalise_triviaqa, references))


def squad_v2_f1(prediction: str, references: Sequence[str]) -> float:
    """`token_f1`, but 1 or 0 where either side is `UNANSWERABLE` (Rajpurkar et al., 2018).

    To write nothing is not to say so, and is wrong.
    """
    if UNANSWERABLE in map(normalise, (prediction, *references)):
        return exact_match(prediction, references)
    return token_f1(prediction, references)


def coqa_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 for the best reference but one, averaged over the one left out; a lone reference stays (Reddy et al., 2019).

    People are scored against the others' answers, so models are scored against as many.
    """
    scores = [_word_f1(prediction, reference) for reference in references]
    if len(scores) == 1:
        return scores[0]
    return sum(max(scores[:left_out] + scores[left_out + 1 :]) for left_out in range(len(scores))) / len(scores)


def quac_f1(prediction: str, references: Sequence[str]) -> float:
    """As CoQA's, once a vote settled whether there is an answer; a tie says there is none (Choi et al., 2018)."""
    spans = [reference for reference in references if reference.strip() != CANNOT_ANSWER]
    if 2 * len(spans) <= len(references):
        return exact_match(prediction, (CANNOT_ANSWER,))
    return coqa_f1(prediction, spans)


def drop_exact_match(prediction: str, references: Sequence[str]) -> float:
    """1.0 if it has the spans of a reference, in any order, after DROP's normalisation (Dua et al., 2019)."""
    return float(any(sorted(written) == sorted(right) for written, right in _drop_spans(prediction, references)))


def drop_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of word sets, averaged over the best pairing of spans, for the best reference (Dua et al., 2019).

    A pair of spans counts nothing where the reference has numbers and shares none. Two decimals, as the official one.
    """
    return max(_aligned_f1(written, right) for written, right in _drop_spans(prediction, references))


def first_word_matches(prediction: str, references: Sequence[str]) -> float:
    """1.0 if the first word written is a reference; case matters, punctuation around words does not."""
    return float(_first_word(prediction) in map(_first_word, references))


def _first_word(text: str) -> str:
    found = WORD.search(text)
    return found[0] if found else text.strip()


def _word_f1(prediction: str, reference: str) -> float:
    written, right = normalise(prediction).split(), normalise(reference).split()
    if not written or not right:
        return float(written == right)
    return 2 * (Counter(written) & Counter(right)).total() / (len(written) + len(right))


def _drop_spans(prediction: str, references: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Normalised spans of the prediction and of each reference; both are cut where the reference has an "and"."""
    pairs = []
    for reference in references:
        several = " and " in reference
        cut = [BETWEEN_SPANS.split(text.strip()) if several else [text] for text in (prediction, reference)]
        written, right = ([normalise_drop(span) for span in spans] for spans in cut)
        pairs.append((written, right))
    return pairs


def _drop_word(word: str) -> str:
    bare = word if _is_number(word) else word.translate(WITHOUT_PUNCTUATION)
    return str(float(bare)) if _is_number(bare) else bare


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _aligned_f1(written: Sequence[str], right: Sequence[str]) -> float:
    # A second of imports that naming the tasks does without.
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    scores = np.array([[_span_f1(set(each.split()), set(span.split())) for each in written] for span in right])
    pairing = linear_sum_assignment(scores, maximize=True)
    return round(float(scores[pairing].sum()) / max(scores.shape), 2)


def _span_f1(written: set[str], right: set[str]) -> float:
    numbers = set(filter(_is_number, right))
    if not written or not right or (numbers and not numbers & written):
        return float(written == right)
    return 2 * len(written & right) / (len(written) + len(right))
