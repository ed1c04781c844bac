"""Zero-, one- and few-shot prompts as rows of token ids that fit the model.

Demonstrations stand before the item, joined by two newlines (GLaM, section 5). What does not fit is cut on
the left: whole demonstrations first, then the item's own text, and last the choice; each cut is recorded.
Every row starts with end_of_text, as a document does in training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from glam.evaluation.task import Item, draw_key

SEPARATOR = "\n\n"


class Tokenizer(Protocol):
    """What this room needs of a tokenizer."""

    @property
    def end_of_text(self) -> int: ...

    def encode(self, text: str, /) -> list[int]: ...

    def decode(self, ids: Sequence[int], /) -> str: ...


@dataclass(frozen=True)
class Prompt:
    """An item as the model sees it: one row a choice, the same context in each."""

    item: Item
    rows: tuple[tuple[int, ...], ...]
    choice_tokens: tuple[int, ...]
    """How many tokens at the end of each row are the choice."""
    demonstrations: tuple[str, ...]
    """Ids of the items shown, in their order."""
    truncated_tokens: int
    """Tokens cut from the longest row after every demonstration had been dropped."""


def choose_demonstrations(item: Item, pool: Sequence[Item], *, num_shots: int, seed: int) -> list[Item]:
    """At most `num_shots` items of other clusters, the nearest to the item last.

    Drawn by seed and item; the last k of n shots are the k shots. Fewer where other clusters hold fewer.
    """
    others = (other for other in pool if other.cluster != item.cluster and other.id != item.id)
    order = sorted(others, key=lambda other: draw_key(seed, "demonstration", item.id, other.id))
    return order[:num_shots][::-1]


def build_prompt(
    item: Item,
    demonstrations: Sequence[Item],
    *,
    tokenizer: Tokenizer,
    sequence_length: int,
) -> Prompt:
    """The item after as many of its demonstrations as fit; a row has at most `sequence_length` + 1 tokens.

    The last token of a row is predicted and never read, so `sequence_length` positions are computed.
    """
    shown = list(demonstrations)
    parts, excess = _encode(item, shown, tokenizer, sequence_length)
    while excess > 0 and shown:
        shown.pop(0)
        parts, excess = _encode(item, shown, tokenizer, sequence_length)
    return Prompt(
        item=item,
        rows=tuple((tokenizer.end_of_text, *(before + choice)[-sequence_length:]) for before, choice in parts),
        choice_tokens=tuple(min(len(choice), sequence_length) for _, choice in parts),
        demonstrations=tuple(demonstration.id for demonstration in shown),
        truncated_tokens=max(0, excess),
    )


def split_choice(tokenizer: Tokenizer, context: str, choice: str) -> tuple[list[int], list[int]]:
    """Token ids of the context and of the choice, cut out of the encoding of both together.

    The model has learnt the encoding of running text, so that is what is scored: the choice is what follows
    the longest prefix shared with the context's own encoding. Where a token spans the boundary it counts to
    the choice. Choices start with a space, which byte-level vocabularies never merge to the left.
    """
    alone, together = tokenizer.encode(context), tokenizer.encode(context + choice)
    shared = 0
    while shared < min(len(alone), len(together)) and alone[shared] == together[shared]:
        shared += 1
    assert shared < len(together), f"choice {choice!r} adds no token to {context[-40:]!r}"
    return together[:shared], together[shared:]


def _encode(
    item: Item, shown: Sequence[Item], tokenizer: Tokenizer, sequence_length: int
) -> tuple[list[tuple[list[int], list[int]]], int]:
    """(context, choice) ids of every choice, and by how many tokens the longest row is too long."""
    context = SEPARATOR.join([*(demonstration.solved for demonstration in shown), item.prompt])
    parts = [split_choice(tokenizer, context, choice) for choice in item.choices]
    return parts, max(len(before) + len(choice) for before, choice in parts) - sequence_length
