"""Text out of a model: continuations of prompts, greedy, sampled or searched for."""

# B prompts of a batch, T new ids
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from glam.model.beam_search import search_rows
from glam.model.decoding import Choice, Ending, Written, continue_rows
from glam.model.generation_config import GenerationConfig
from glam.model.transformer import Transformer

GREEDY = GenerationConfig()
MAX_CACHE_BYTES = 1 << 29
"""Reading the weights is what a step takes, so rows share it as far as memory goes."""


class Codec(Protocol):
    """What generation needs of a tokenizer."""

    @property
    def end_of_text(self) -> int: ...
    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str:
        """Every id is at least one byte of the text."""
        ...


def complete(model: Transformer, codec: Codec, prompts: Sequence[str], config: GenerationConfig = GREEDY) -> list[str]:
    """A continuation of each prompt, in their order; prompts are read as beginnings of documents.

    It ends before end-of-text, before the first stop text that it would contain (wherever the boundaries of ids fall;
    the prompt does not count), or after `max_new_tokens`. Raises ValueError as `generate` does.
    """
    rows = [[codec.end_of_text, *codec.encode(prompt)] for prompt in prompts]
    written = generate(model, rows, config, end_of_text=codec.end_of_text, decode=codec.decode)
    return [until_stop(config.stop, codec.decode(ids)) for ids in written.rows]


@torch.inference_mode()
def generate(
    model: Transformer,
    rows: Sequence[Sequence[int]],
    config: GenerationConfig = GREEDY,
    *,
    end_of_text: int | None = None,
    decode: Callable[[Sequence[int]], str] | None = None,
    max_cache_bytes: int = MAX_CACHE_BYTES,
) -> Written:
    """New ids that continue each row of ids, in the order given; end-of-text ends a row and is not among them.

    A row that ended by a stop text keeps the ids that complete it; finding one takes `decode`. Rows of like length go
    together, as many as fit a cache of `max_cache_bytes` with prompt, padding and new ids of every beam. What is
    sampled for a row depends on the seed and the row's place in the list, not on the rows beside it; as in any batch,
    rounding of the logits does. Raises ValueError for a row that is empty, holds ids outside the vocabulary, or
    leaves less room than `max_new_tokens` of the model's `sequence_length`, and for stop texts without `decode`.
    """
    _check(model, rows, config)
    if config.stop and decode is None:
        raise ValueError(f"stop={list(config.stop)} is found in text: hand in `decode`, or call `complete`")
    ending = Ending(config.max_new_tokens, end_of_text, config.stop, decode)
    continued: dict[int, list[int]] = {}
    load_LE: Tensor | None = None
    was_training = model.training
    model.eval()
    try:
        for batch in _batches(rows, config, max_cache_bytes // bytes_of_position(model)):
            found = _continue(model, [rows[index] for index in batch], batch, config, ending)
            continued.update(zip(batch, found.rows, strict=True))
            if found.load_LE is not None:
                load_LE = found.load_LE if load_LE is None else load_LE + found.load_LE
    finally:
        model.train(was_training)
    return Written([continued[index] for index in range(len(rows))], load_LE)


def bytes_of_position(model: Transformer) -> int:
    """What the cache holds of one position of a row."""
    config = model.config
    return 2 * config.num_layers * config.num_heads * config.head_dim * model.embedding.element_size()


def _continue(
    model: Transformer, rows: list[Sequence[int]], places: list[int], config: GenerationConfig, ending: Ending
) -> Written:
    if config.num_beams > 1:
        return search_rows(model, rows, ending, num_beams=config.num_beams, length_penalty=config.length_penalty)
    choice = Choice(config.temperature, config.top_k, config.top_p)
    drawn_BT = np.zeros((len(rows), config.max_new_tokens))
    if config.temperature > 0:
        drawn_BT = np.stack([np.random.default_rng((config.seed, place)).random(drawn_BT.shape[1]) for place in places])
    return continue_rows(model, rows, ending, choice, torch.from_numpy(drawn_BT).to(model.embedding.device))


def _batches(rows: Sequence[Sequence[int]], config: GenerationConfig, max_positions: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in sorted(range(len(rows)), key=lambda index: -len(rows[index])):
        if batch:
            positions = config.num_beams * (len(rows[batch[0]]) + config.max_new_tokens)
            if (len(batch) + 1) * positions > max_positions:
                yield batch
                batch = []
        batch.append(index)
    if batch:
        yield batch


def _check(model: Transformer, rows: Sequence[Sequence[int]], config: GenerationConfig) -> None:
    vocab_size, longest = model.config.vocab_size, model.config.sequence_length
    for index, row in enumerate(rows):
        if not row:
            raise ValueError(f"prompt {index} has no ids; begin it with end-of-text")
        if min(row) < 0 or max(row) >= vocab_size:
            raise ValueError(
                f"prompt {index} holds ids {min(row)} to {max(row)}; the vocabulary has 0 to {vocab_size - 1}"
            )
        if len(row) + config.max_new_tokens > longest:
            room = longest - len(row)
            shorter = f"shorten it by {config.max_new_tokens - room}"
            raise ValueError(
                f"prompt {index} has {len(row)} tokens, which with max_new_tokens={config.max_new_tokens} exceed the "
                f"model's sequence_length={longest}: "
                + (f"{shorter} or set max_new_tokens to at most {room}" if room > 0 else shorter)
            )


def until_stop(stop: Sequence[str], text: str) -> str:
    """What stands before the first stop text."""
    return text[: min((text.index(each) for each in stop if each in text), default=len(text))]
