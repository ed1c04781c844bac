"""Windows predict every held-out token once and account for every byte once."""

from collections import defaultdict

import pytest

from glam.config import TokenizerConfig
from glam.data.heldout import HeldOut, write_heldout
from glam.data.tokenizer import END_OF_TEXT_ID, train_tokenizer
from tests.data.conftest import MakeFolder, document, prose

DOCUMENTS = [document(number, unit=f"u{number % 2}", text=prose(number, 10 + number)) for number in range(6)]
DOCUMENTS.append(document(9, text="é"))


@pytest.mark.parametrize("sequence_length", [1, 7, 64, 4096])
def test_windows_predict_every_token_once(make_folder: MakeFolder, sequence_length: int) -> None:
    tokenizer, _ = train_tokenizer([each.text for each in DOCUMENTS], TokenizerConfig(kind="bpe", vocab_size=300))
    folder = make_folder("heldout")
    write_heldout(DOCUMENTS, tokenizer, folder)
    predicted, num_bytes = defaultdict(list), defaultdict(int)
    for window in HeldOut(folder.path).windows(sequence_length):
        assert 2 <= len(window.ids) <= sequence_length + 1
        assert window.source == "made"
        before = predicted[window.document_id]
        assert window.ids[0] == (before[-1] if before else END_OF_TEXT_ID)
        before += window.ids[1:]
        num_bytes[window.document_id] += window.num_bytes
    assert {each.id: tokenizer.encode(each.text) for each in DOCUMENTS} == predicted
    assert {each.id: len(each.text.encode()) for each in DOCUMENTS} == num_bytes


def test_documents_and_facts_are_read_back(make_folder: MakeFolder) -> None:
    tokenizer, _ = train_tokenizer([each.text for each in DOCUMENTS], TokenizerConfig(kind="bpe", vocab_size=300))
    folder = make_folder("heldout")
    facts = write_heldout(DOCUMENTS, tokenizer, folder)
    heldout = HeldOut(folder.path)
    assert heldout.documents() == DOCUMENTS
    assert heldout.facts == facts
    assert facts.num_bytes == sum(len(each.text.encode()) for each in DOCUMENTS)
