"""Subword vocabularies, trained on the training side and saved as the usual `tokenizer.json`: TOKENIZERS.

Id 0 is end-of-text, and no text encodes to it, not even one that spells it out. There is no normalisation, and every
byte has an id, so any text comes back byte for byte.
"""

import io
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Self

import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from glam.config import TokenizerConfig

END_OF_TEXT = "<|endoftext|>"
END_OF_TEXT_ID = 0
FILE = "tokenizer.json"
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
"""Names under which the decoder of byte fallback knows them."""
NEVER = -1e6
"""Log-probability of pieces that no text is to be cut into: each is spelled in ASCII, whose pieces are likelier."""
CHARACTER_COVERAGE = 0.9995
"""Share of the text's characters that get a piece of their own; the rest is spelled in bytes (SentencePiece)."""
SPACE = "\u2581"
"""What SentencePiece writes for a space; here a space stays one, so this character remains itself."""
TRAINED_CHARACTERS = 4000
"""Of a text at once; SentencePiece passes longer ones by."""
WORD = re.compile(" ?[^ ]+| +(?= [^ ])| +")
"""Of the unigram vocabulary: a word takes the space before it along; further spaces are a word of their own."""
REMEMBERED_WORDS = 1 << 19
LONGEST_REMEMBERED = 64
"""Characters; longer words are a whole text without spaces, or come once."""
NUM_THREADS = 4
"""Of training, whatever the machine has: sums of another number of threads differ in their last bits."""


class Tokenizer:
    """Text to token ids and back."""

    def __init__(self, inner: tokenizers.Tokenizer):
        inner.encode_special_tokens = True  # special tokens in a text are text
        self._inner = inner
        self.special_ids = frozenset(each for each, token in inner.get_added_tokens_decoder().items() if token.special)
        """That no text encodes to: end-of-text and what fills the vocabulary up."""
        self._ids_of_word: dict[str, list[int]] = {}

    @classmethod
    def load(cls, folder_path: Path) -> Self:
        """The tokenizer of a folder."""
        return cls(tokenizers.Tokenizer.from_file(str(folder_path / FILE)))

    def to_json(self) -> str:
        """What `tokenizers.Tokenizer.from_file` and transformers' PreTrainedTokenizerFast open."""
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
        if isinstance(self._inner.pre_tokenizer, pre_tokenizers.Split):
            return self._encode_words(texts)
        return [encoded.ids for encoded in self._inner.encode_batch_fast(texts, add_special_tokens=False)]

    def _encode_words(self, texts: Sequence[str]) -> list[list[int]]:
        """The same for a vocabulary that cuts each word by itself: most words were cut before."""
        words = [WORD.findall(text) for text in texts]
        if len(self._ids_of_word) > REMEMBERED_WORDS:
            self._ids_of_word.clear()
        known = self._ids_of_word
        new = [word for word in dict.fromkeys(chain.from_iterable(words)) if word not in known]
        encoded = self._inner.encode_batch_fast(new, add_special_tokens=False)
        found = dict(zip(new, (each.ids for each in encoded), strict=True))
        known.update((word, ids) for word, ids in found.items() if len(word) <= LONGEST_REMEMBERED)
        return [list(chain.from_iterable(known.get(word) or found[word] for word in each)) for each in words]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids, end-of-text spelled out; bytes that are no UTF-8 become U+FFFD."""
        return self._inner.decode(list(ids), skip_special_tokens=False)


def train_tokenizer(texts: Sequence[str], config: TokenizerConfig) -> tuple[Tokenizer, int]:
    """A tokenizer of exactly `vocab_size` ids, and how many of them stand for nothing.

    A corpus may hold fewer different pieces than were asked for; the vocabulary is then filled
    up with `<|unused_k|>`, so the model's embedding has the size that its config says.
    """
    inner = TOKENIZERS[config.kind](texts, config.vocab_size)
    inner.add_special_tokens([END_OF_TEXT])
    num_unused = config.vocab_size - inner.get_vocab_size()
    inner.add_special_tokens([f"<|unused_{k}|>" for k in range(num_unused)])
    assert inner.get_vocab_size() == config.vocab_size, "the vocabulary has another size than it was asked for"
    assert inner.token_to_id(END_OF_TEXT) == END_OF_TEXT_ID, "end-of-text is not id 0"
    return Tokenizer(inner), num_unused


def unigram(texts: Sequence[str], vocab_size: int) -> tokenizers.Tokenizer:
    """The likeliest cut by a unigram model, rare characters in bytes, as SentencePiece (Kudo, arXiv:1804.10959).

    SentencePiece trains it: what `tokenizers` trains differs from run to run.
    """
    never = [(piece, NEVER) for piece in (END_OF_TEXT, *BYTES)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_pieces(texts),
        model_writer=model,
        model_type="unigram",
        vocab_size=vocab_size - len(never) + 1,
        hard_vocab_limit=False,
        character_coverage=CHARACTER_COVERAGE,
        required_chars=string.ascii_letters + string.digits + string.punctuation,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        max_sentence_length=8 * TRAINED_CHARACTERS,
        bos_id=-1,
        eos_id=-1,
        num_threads=NUM_THREADS,
        minloglevel=2,
    )
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [
        (trained.id_to_piece(number).replace(SPACE, " "), trained.get_score(number))
        for number in range(trained.get_piece_size())
        if not trained.is_unknown(number)
    ]
    inner = tokenizers.Tokenizer(models.Unigram([*never, *pieces], unk_id=END_OF_TEXT_ID, byte_fallback=True))
    inner.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(WORD.pattern), behavior="isolated")
    inner.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return inner


def bpe(texts: Iterable[str], vocab_size: int) -> tokenizers.Tokenizer:
    """Merged byte pairs (Sennrich et al., arXiv:1508.07909), on bytes as GPT-2's."""
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    return inner


TOKENIZERS: Mapping[str, Callable[[Sequence[str], int], tokenizers.Tokenizer]] = {"unigram": unigram, "bpe": bpe}
"""By the names of `TokenizerConfig.kind`."""


def _pieces(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for start in range(0, len(text), TRAINED_CHARACTERS):
            yield text[start : start + TRAINED_CHARACTERS].replace(SPACE, "").replace("\0", "")
