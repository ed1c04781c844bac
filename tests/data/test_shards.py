"""Packing loses no token but the counted tail."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glam.data.shards import Shards, ShardsFacts, Stream, token_dtype, write_shards
from glam.store import Folder
from tests.data.conftest import MakeFolder


def write(documents: list[list[int]], folder: Folder, **options: int) -> ShardsFacts:
    """Each document with an end-of-text before it, kinds by turns."""
    numbered = ((np.array([0, *ids], token_dtype(1 << 17)), number % 2) for number, ids in enumerate(documents))
    return write_shards(Stream(numbered, len(documents), ("even", "odd")), folder, **{"vocab_size": 300, **options})


documents_of_ids = st.lists(st.lists(st.integers(1, 299), max_size=40), min_size=1, max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(documents_of_ids, st.integers(1, 9), st.integers(1, 64))
def test_rows_put_together_are_the_stream(
    make_folder: MakeFolder, documents: list[list[int]], sequence_length: int, tokens_per_file: int
) -> None:
    stream = [token for document in documents for token in (0, *document)]
    if len(stream) <= sequence_length:
        return
    folder = make_folder("shards")
    facts = write(documents, folder, sequence_length=sequence_length, tokens_per_file=tokens_per_file)
    shards, numbers = Shards.open(folder.path), np.arange(facts.num_rows)
    rows = shards.rows(numbers)
    assert [*rows[:, :-1].ravel(), rows[-1, -1]] == stream[: len(stream) - facts.num_tokens_left_out]
    assert (rows[1:, 0] == rows[:-1, -1]).all()
    assert facts.num_tokens == len(stream)
    assert 0 <= facts.num_tokens_left_out < sequence_length
    held = stream[: len(stream) - facts.num_tokens_left_out]
    found = [shards.document(number) for number in range(len(documents))]
    assert [token for ids, _ in found for token in (0, *ids)][: len(held)] == held
    assert [source for _, source in found] == [("even", "odd")[number % 2] for number in range(len(documents))]
    kinds = [number % 2 for number, document in enumerate(documents) for _ in (0, *document)]
    assert shards.sources(numbers).ravel().tolist() == kinds[1 : len(kinds) - facts.num_tokens_left_out]


@pytest.mark.parametrize(("vocab_size", "dtype"), [(65_536, "<u2"), (65_537, "<u4")])
def test_ids_take_as_many_bytes_as_the_vocabulary_needs(make_folder: MakeFolder, vocab_size: int, dtype: str) -> None:
    folder = make_folder("shards")
    facts = write([[vocab_size - 1] * 8], folder, sequence_length=4, vocab_size=vocab_size)
    assert facts.dtype == dtype
    assert Shards.open(folder.path).rows(np.array([0]))[0].tolist() == [0] + [vocab_size - 1] * 4


def test_text_too_short_for_a_row_is_an_error_with_the_numbers(make_folder: MakeFolder) -> None:
    with pytest.raises(ValueError, match="1 training documents hold 4 tokens, fewer than the 9 of one row"):
        write([[1, 2, 3]], make_folder("shards"), sequence_length=8)


def test_a_truncated_file_is_refused(make_folder: MakeFolder) -> None:
    folder = make_folder("shards")
    write([[1] * 20], folder, sequence_length=4)
    path = folder.path / "tokens-00000.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ValueError, match=r"tokens-00000.bin holds 20 tokens where shards.json promises 5 rows"):
        Shards.open(folder.path)
