"""Byte-level BPE: trained on the training side, saved as the usual `tokenizer.json`.

Id 0 is end-of-text, and no text encodes to it, not even one that spells it out. There is no
normalisation and all 256 bytes are in the vocabulary, so any text comes back byte for byte.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from glam.config import TokenizerConfig

END_OF_TEXT = "<|endoftext|>"
END_OF_TEXT_ID = 0
FILE = "tokenizer.json"


class Tokenizer:
    """Text to token ids and back."""

    def __init__(self, inner: tokenizers.Tokenizer):
        inner.encode_special_tokens = True  # special tokens in a text are text
        self._inner = inner

    @classmethod
    def load(cls, folder_path: Path) -> Self:
        """The tokenizer of a folder."""
        return cls(tokenizers.Tokenizer.from_file(str(folder_path / FILE)))

    def to_json(self) -> str:
        """What `tokenizers.Tokenizer.from_file` opens."""
        return self._inner.to_str(pretty=True)

    @property
    def vocab_size(self) -> int:
        return self._inner.get_vocab_size()

    @property
    def end_of_text(self) -> int:
        """The id that stands before every document."""
        return END_OF_TEXT_ID

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without end-of-text."""
        return self._inner.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text."""
        return [encoded.ids for encoded in self._inner.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, end-of-text spelled out; bytes that are no UTF-8 become U+FFFD."""
        return self._inner.decode(list(ids), skip_special_tokens=False)


def train_tokenizer(texts: Iterable[str], config: TokenizerConfig) -> tuple[Tokenizer, int]:
    """A tokenizer of exactly `vocab_size` ids, and how many of them stand for nothing.

    A corpus may hold fewer different pairs than merges were asked for; the vocabulary is then filled
    up with `<|unused_k|>`, so the model's embedding has the size that its config says.
    """
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    num_unused = config.vocab_size - inner.get_vocab_size()
    inner.add_special_tokens([f"<|unused_{k}|>" for k in range(num_unused)])
    assert inner.get_vocab_size() == config.vocab_size, "the vocabulary has another size than it was asked for"
    assert inner.token_to_id(END_OF_TEXT) == END_OF_TEXT_ID, "end-of-text is not id 0"
    return Tokenizer(inner), num_unused
