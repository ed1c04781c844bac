"""Any text comes back byte for byte, and the vocabulary has the size asked for."""

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from glam.config import TokenizerConfig
from glam.data.tokenizer import END_OF_TEXT, END_OF_TEXT_ID, Tokenizer, train_tokenizer
from tests.data.conftest import MakeFolder, prose

TEXTS = [prose(number) for number in range(20)]
TOKENIZER, _ = train_tokenizer(TEXTS, TokenizerConfig(vocab_size=400))


@given(st.text())
def test_any_text_round_trips(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@pytest.mark.parametrize("text", ["", "\x00\r\n\t ", " \u2028\ufeff é😀", END_OF_TEXT, f"a{END_OF_TEXT}<|unused_1|>b"])
def test_odd_texts_round_trip_and_never_hold_end_of_text(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert END_OF_TEXT_ID not in ids
    assert TOKENIZER.encode_batch([text]) == [ids]


def test_training_again_gives_the_same_file() -> None:
    assert train_tokenizer(TEXTS, TokenizerConfig(vocab_size=400))[0].to_json() == TOKENIZER.to_json()


def test_a_small_corpus_is_filled_up_with_unused_ids() -> None:
    tokenizer, num_unused = train_tokenizer(["aaa bbb"], TokenizerConfig(vocab_size=300))
    assert tokenizer.vocab_size == 300
    assert num_unused > 30


def test_the_saved_file_opens_with_tokenizers(make_folder: MakeFolder) -> None:
    folder = make_folder("tokenizers")
    path = folder.write_text("tokenizer.json", TOKENIZER.to_json())
    assert tokenizers.Tokenizer.from_file(str(path)).token_to_id(END_OF_TEXT) == END_OF_TEXT_ID
    assert Tokenizer.load(folder.path).encode(TEXTS[0]) == TOKENIZER.encode(TEXTS[0])
    assert len(TOKENIZER.encode(TEXTS[0])) < len(TEXTS[0]) / 2
