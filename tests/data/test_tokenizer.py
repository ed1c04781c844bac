"""Any text comes back byte for byte, and the vocabulary has the size asked for."""

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from glam.config import TokenizerConfig
from glam.data.tokenizer import END_OF_TEXT, END_OF_TEXT_ID, TOKENIZERS, Tokenizer, train_tokenizer
from tests.data.conftest import MakeFolder, prose

TEXTS = [prose(number) for number in range(20)]
CONFIGS = {
    "unigram": TokenizerConfig(kind="unigram", vocab_size=600),
    "bpe": TokenizerConfig(kind="bpe", vocab_size=400),
}
TRAINED = {name: train_tokenizer(TEXTS, config)[0] for name, config in CONFIGS.items()}
ODD = [
    *("", "\x00\r\n\t ", "  two  spaces ", " \u2028\ufeff é😀 \u2581", "日本語", "<0x41><0xFF>", "<0x41"),
    *(END_OF_TEXT, f"a{END_OF_TEXT}<|unused_1|>b", "<|endoftext", "e\u0301"),
]

every_tokenizer = pytest.mark.parametrize("tokenizer", TRAINED.values(), ids=TRAINED)


def test_every_kind_is_tested() -> None:
    assert set(TRAINED) == set(TOKENIZERS)


@every_tokenizer
@given(st.text() | st.lists(st.sampled_from([*ODD, *TEXTS[0].split()])).map("".join))
def test_any_text_round_trips(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert END_OF_TEXT_ID not in ids
    assert tokenizer.encode_batch([text, "the  end", text]) == [ids, tokenizer.encode("the  end"), ids]


@every_tokenizer
@pytest.mark.parametrize("text", ODD)
def test_odd_texts_round_trip_and_never_hold_end_of_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert END_OF_TEXT_ID not in ids
    assert tokenizer.encode_batch([text]) == [ids]


def test_texts_without_spaces_are_not_remembered() -> None:
    tokenizer, _ = train_tokenizer(TEXTS, CONFIGS["unigram"])
    texts = [f"{number:04d}" * 500 for number in range(50)]
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]
    assert not tokenizer._ids_of_word


@pytest.mark.parametrize("kind", TRAINED)
def test_training_again_gives_the_same_file(kind: str) -> None:
    assert train_tokenizer(TEXTS, CONFIGS[kind])[0].to_json() == TRAINED[kind].to_json()


@pytest.mark.parametrize("config", [TokenizerConfig(kind="bpe", vocab_size=300), TokenizerConfig(vocab_size=512)])
def test_a_small_corpus_is_filled_up_with_unused_ids(config: TokenizerConfig) -> None:
    tokenizer, num_unused = train_tokenizer(["aaa bbb"], config)
    assert tokenizer.vocab_size == config.vocab_size
    assert num_unused > 30


def test_a_vocabulary_without_room_for_bytes_and_letters_is_refused() -> None:
    with pytest.raises(ValueError, match=r"vocab_size=400 .* at least 512"):
        TokenizerConfig(kind="unigram", vocab_size=400)


@every_tokenizer
def test_the_saved_file_opens_with_tokenizers(tokenizer: Tokenizer, make_folder: MakeFolder) -> None:
    folder = make_folder("tokenizers")
    path = folder.write_text("tokenizer.json", tokenizer.to_json())
    assert tokenizers.Tokenizer.from_file(str(path)).token_to_id(END_OF_TEXT) == END_OF_TEXT_ID
    assert Tokenizer.load(folder.path).encode(TEXTS[0]) == tokenizer.encode(TEXTS[0])
    assert len(tokenizer.encode(TEXTS[0])) < len(TEXTS[0]) / 2


@every_tokenizer
def test_transformers_opens_the_saved_file(tokenizer: Tokenizer, make_folder: MakeFolder) -> None:
    transformers = pytest.importorskip("transformers")
    path = make_folder("tokenizers").write_text("tokenizer.json", tokenizer.to_json())
    opened = transformers.PreTrainedTokenizerFast(tokenizer_file=str(path))
    assert opened(TEXTS[0], add_special_tokens=False)["input_ids"] == tokenizer.encode(TEXTS[0])
    assert opened.decode(tokenizer.encode(TEXTS[0])) == TEXTS[0]
