"""Zero-, one- and few-shot prompts as token ids that fit the model.

Demonstrations stand before the item, joined by two newlines (GLaM, section 5). Where they do not fit, the first of
them are left out; an item that does not fit on its own is not asked. Every context starts with end_of_text, as a
document does in training.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from glam.evaluation.task import Item, draw_key

SEPARATOR = "\n\n"
FEW_IN_POOL = 256
"""So many are drawn without returning them; among more a draw seldom comes twice."""
HARNESS_SEED = 1234
"""Its `fewshot_random_seed`."""


class Tokenizer(Protocol):
    """What this room needs of a tokenizer."""

    @property
    def end_of_text(self) -> int: ...

    def encode(self, text: str, /) -> list[int]: ...

    def decode(self, ids: Sequence[int], /) -> str: ...


@dataclass(frozen=True)
class Prompt:
    """An item as the model sees it."""

    item: Item
    text: str
    """What stands before the answer, demonstrations included; of the first choice where each has another context."""
    requests: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    """(context, continuation) ids of every choice; of an answer that is written freely the context alone."""
    demonstrations: tuple[str, ...]
    """Ids of the items shown, in their order."""
    num_dropped: int
    """Demonstrations that were left out for want of room, the first ones."""
    excess_tokens: int
    """By how many tokens the longest request is too long without demonstrations; 0 where it fits."""


def choose_demonstrations(item: Item, pool: Sequence[Item], *, num_shots: int, seed: int) -> list[Item]:
    """At most `num_shots` items of other clusters, the nearest to the item last.

    Drawn by seed and item; the last k of n shots are the k shots. Fewer where other clusters hold fewer.
    """
    chosen: list[Item] = []
    # Numbered draws instead of a sorted pool: pools have a hundred thousand items, and each item draws anew.
    left = list(range(len(pool))) if len(pool) <= FEW_IN_POOL else None
    seen: set[int] = set()
    draw = 0
    while len(chosen) < num_shots and len(seen) < len(pool):
        number = int.from_bytes(draw_key(seed, "demonstration", item.id, str(draw))[:8], "big")
        place = number % len(pool) if left is None else left.pop(number % len(left))
        draw += 1
        if place in seen:
            continue
        seen.add(place)
        if pool[place].cluster != item.cluster and pool[place].id != item.id:
            chosen.append(pool[place])
    return chosen[::-1]


def harness_demonstrations(
    asked: Sequence[Item], pool: Sequence[Item], *, num_shots: int, spare: bool
) -> list[list[Item]]:
    """Of each item, as lm-evaluation-harness draws them: in the order in which it asks, from one generator.

    `spare` draws one more than is shown, to do without the item itself: so it does where a task has no test split.
    """
    if not num_shots:
        return [[] for _ in asked]
    if len(pool) < num_shots + spare:
        raise ValueError(f"the harness draws {num_shots + spare} examples an item, and there are {len(pool)} in all")
    generator = random.Random(HARNESS_SEED)
    drawn = (generator.sample(list(pool), num_shots + spare) for _ in asked)
    return [[each for each in several if each != item][:num_shots] for item, several in zip(asked, drawn, strict=True)]


def build_prompt(
    item: Item,
    demonstrations: Sequence[Item],
    *,
    tokenizer: Tokenizer,
    sequence_length: int,
    max_new_tokens: int = 0,
    split: "Split | None" = None,
) -> Prompt:
    """The item after as many of its demonstrations as fit into `sequence_length` positions.

    The last token of a choice is predicted and never read; an answer that is written freely has room for
    `max_new_tokens`.
    """
    shown = list(demonstrations)
    while True:
        text = SEPARATOR.join([*(each.solved for each in shown), item.context(0, demonstrations=bool(shown))])
        requests = tuple(_requests(item, shown, tokenizer, split or split_choice))
        longest = max(len(context) + len(continuation) for context, continuation in requests)
        excess = longest + max_new_tokens - sequence_length - (1 if item.choices else 0)
        if excess <= 0 or not shown:
            return Prompt(
                item,
                text,
                requests,
                demonstrations=tuple(each.id for each in shown),
                num_dropped=len(demonstrations) - len(shown),
                excess_tokens=max(0, excess),
            )
        shown.pop(0)


def _requests(
    item: Item, shown: Sequence[Item], tokenizer: Tokenizer, split: "Split"
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    before = "".join(each.solved + SEPARATOR for each in shown)
    start = (tokenizer.end_of_text,)
    if not item.choices:
        return [((*start, *tokenizer.encode(before + item.context(0, demonstrations=bool(shown)))), ())]
    parts = [
        split(tokenizer, before + item.context(place, demonstrations=bool(shown)), choice)
        for place, choice in enumerate(item.choices)
    ]
    return [((*start, *context), tuple(choice)) for context, choice in parts]


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


def split_by_length(tokenizer: Tokenizer, context: str, choice: str) -> tuple[list[int], list[int]]:
    """As lm-evaluation-harness: the choice is what is left of both together after as many tokens as the context has."""
    context_length = len(tokenizer.encode(context))
    together = tokenizer.encode(context + choice)
    return together[:context_length], together[context_length:]


Split = Callable[[Tokenizer, str, str], tuple[list[int], list[int]]]
