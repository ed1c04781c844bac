"""Every id of every kind of vocabulary has one kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.config import TokenizerConfig
from glam.data.token_kinds import TOKEN_KINDS, kind_of_text, kind_of_token
from glam.data.tokenizer import END_OF_TEXT_ID, TOKENIZERS, Tokenizer, train_tokenizer
from tests.data.conftest import prose

TEXTS = [f"{prose(number)} 12 éü\n" for number in range(20)]
TRAINED = {
    kind: train_tokenizer(TEXTS, TokenizerConfig.model_validate({"kind": kind, "vocab_size": 700}))[0]
    for kind in TOKENIZERS
}

every_tokenizer = pytest.mark.parametrize("tokenizer", TRAINED.values(), ids=TRAINED)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" the", "word start"),
        ("\nThe", "word start"),
        (" a1", "word start"),
        ("the", "word piece"),
        ("_name", "word piece"),
        ("日本", "word piece"),
        ("\u0301", "word piece"),
        ("12", "number"),
        (" 7.", "number"),
        ("½", "number"),
        (").", "punctuation"),
        (" =", "punctuation"),
        ("€😀", "punctuation"),
        (" ", "whitespace"),
        ("\r\n\t", "whitespace"),
        ("\u2028", "whitespace"),
        ("a\ufffd", "partial character"),
        ("\x00", "other"),
        (" \u200b", "other"),
        ("", "other"),
    ],
)
def test_a_text_is_of_the_kind_that_a_reader_sees(text: str, kind: str) -> None:
    assert kind_of_text(text) == kind


@given(st.text())
def test_any_text_has_a_kind(text: str) -> None:
    assert kind_of_text(text) in TOKEN_KINDS


@every_tokenizer
def test_every_id_has_a_kind_and_every_kind_has_ids(tokenizer: Tokenizer) -> None:
    assert {kind_of_token(tokenizer, each) for each in range(tokenizer.vocab_size)} == set(TOKEN_KINDS)


@every_tokenizer
def test_what_no_text_has_is_of_no_kind_of_text(tokenizer: Tokenizer) -> None:
    assert END_OF_TEXT_ID in tokenizer.special_ids
    assert {kind_of_token(tokenizer, each) for each in tokenizer.special_ids} == {"other"}
    assert not tokenizer.special_ids & set(tokenizer.encode("<|endoftext|><|unused_0|>"))


@every_tokenizer
def test_bytes_that_stand_for_a_rare_character_are_parts_of_it(tokenizer: Tokenizer) -> None:
    assert {kind_of_token(tokenizer, each) for each in tokenizer.encode("鷲")} == {"partial character"}
    assert [kind_of_token(tokenizer, each) for each in tokenizer.encode("\n")] == ["whitespace"]
