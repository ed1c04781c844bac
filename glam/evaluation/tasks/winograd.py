"""Winograd schemas: what a pronoun stands for (Levesque, Davis and Morgenstern, 2012), by partial evaluation.

Each option takes the pronoun's place and the rest of the sentence is scored (Trinh and Le, 2018, arXiv:1806.02847).
"""

import re

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.fields import texts
from glam.evaluation.paper import Paper
from glam.evaluation.task import MultipleChoice, Row

LOWER_WITHIN_A_SENTENCE = ("The", "A", "An", "My", "Your", "His", "Her", "Its", "Our", "Their")
POSSESSIVE = ("his", "its", "their", "hers", "theirs", "my", "your", "our")
HER_OF_SOMETHING = re.compile(r"\s+(?!(?:about|after|and|as|at|because|but|for|from|if|in|on|that|to|when|with)\b)\w")
"""What follows the `her` that is possessive; "told her that" and "saw her." have another."""


def parts(row: Row) -> tuple[str, str]:
    """The sentence before and after its pronoun."""
    text, pronoun, start = row["text"], row["pronoun"], row["pronoun_loc"]
    if start < 0 or not pronoun or not text.startswith(pronoun, start):
        raise ValueError(f"its text has no {pronoun!r} at pronoun_loc {start}")
    return text[:start], text[start + len(pronoun) :]


def in_place(row: Row, option: str) -> str:
    """An option as it reads where the pronoun stood."""
    pronoun, (_, after) = row["pronoun"], parts(row)
    first, *others = option.split()
    if pronoun[0].isupper() and pronoun != "I":
        first = first[0].upper() + first[1:]
    elif first in LOWER_WITHIN_A_SENTENCE:
        first = first.lower()
    filled = " ".join((first, *others))
    if pronoun.lower() in POSSESSIVE or (pronoun.lower() == "her" and HER_OF_SOMETHING.match(after)):
        several = pronoun.lower() in ("their", "theirs") and filled.endswith("s")
        filled += "'" if several else "'s"
    return filled


def options(row: Row) -> list[str]:
    """What the pronoun may stand for."""
    found = texts(row, "options")
    if not all(option.strip() for option in found):
        raise ValueError(f"field 'options' is {found!r:.60}, and one of them is empty")
    return found


def rest(row: Row) -> str:
    """What follows the pronoun; a full stop where nothing does."""
    return parts(row)[1].rstrip() or "."


WINOGRAD = MultipleChoice(
    name="winograd",
    source=Benchmark(
        hub="ErnestSDavis/winograd_wsc",
        subset="wsc273",
        split="test",
        pool=None,
        fields={"text": str, "pronoun": str, "pronoun_loc": int, "options": list, "label": int},
        # Twins differ in a word or two and share their options.
        cluster=lambda row: " / ".join(sorted(option.lower() for option in options(row))),
    ),
    prompt=lambda row: parts(row)[0].rstrip(),
    contexts=lambda row: [parts(row)[0] + in_place(row, option) for option in options(row)],
    choices=lambda row: [rest(row)] * len(options(row)),
    answer="label",
    paper=Paper(
        title="Winograd",
        group="NLU",
        category="Winograd-style",
        split="test",
        shots=2,
        ours="partial evaluation as in GPT-3, and demonstrations from the test set, for there is no other",
    ),
)
