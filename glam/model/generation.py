"""Text out of a model: continuations of prompts, greedy or sampled."""

from collections.abc import Sequence
from typing import Protocol

import torch

from glam.model.transformer import Transformer


class Codec(Protocol):
    """What generation needs of a tokenizer."""

    @property
    def end_of_text(self) -> int: ...
    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...


def complete(
    model: Transformer,
    codec: Codec,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 32,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """A continuation of each prompt, ended by end-of-text or `max_new_tokens`; temperature 0 is greedy."""
    if temperature < 0:
        raise ValueError(f"temperature={temperature} is negative; 0 is greedy")
    generator = torch.Generator().manual_seed(seed)
    return [_complete(model, codec, prompt, max_new_tokens, temperature, generator) for prompt in prompts]


@torch.inference_mode()
def _complete(
    model: Transformer,
    codec: Codec,
    prompt: str,
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator,
) -> str:
    ids = [codec.end_of_text, *codec.encode(prompt)]
    start = len(ids)
    for _ in range(max_new_tokens):
        logits_V = model(torch.tensor([ids])).logits_BSV[0, -1]
        if temperature == 0:
            chosen = int(logits_V.argmax())
        else:
            chosen = int(torch.multinomial((logits_V / temperature).softmax(-1), 1, generator=generator))
        if chosen == codec.end_of_text:
            break
        ids.append(chosen)
    return codec.decode(ids[start:])
