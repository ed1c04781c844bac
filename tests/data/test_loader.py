"""The loader is a pure function of (shards, seed, step, detours)."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glam.data.loader import Loader
from glam.data.permutation import permute
from glam.data.shards import Stream, write_shards
from tests.data.conftest import MakeFolder

NUM_ROWS, LENGTH, BATCH = 50, 8, 6


@pytest.fixture
def loader(make_folder: MakeFolder):
    folder = make_folder("shards")
    ids = np.array([0, *(1 + number % 299 for number in range(NUM_ROWS * LENGTH))], np.uint16)
    write_shards(Stream(iter([(ids, 0)]), 1, ("made",)), folder, sequence_length=LENGTH, vocab_size=300)
    return lambda **options: Loader(folder.path, **{"global_batch_size": BATCH, "seed": 0, **options})


@given(st.integers(1, 3000), st.integers(0, 2**64 - 1))
def test_a_permutation_takes_every_number_once(size: int, key: int) -> None:
    assert sorted(permute(np.arange(size), size, key)) == list(range(size))


def test_an_epoch_is_every_row_once_and_the_next_in_another_order(loader) -> None:
    rows = np.concatenate([loader().row_numbers(step, 0, BATCH) for step in range(2 * NUM_ROWS // BATCH + 1)])
    first, second = rows[:NUM_ROWS], rows[NUM_ROWS : 2 * NUM_ROWS]
    assert sorted(first) == sorted(second) == list(range(NUM_ROWS))
    assert first.tolist() != second.tolist()
    assert first.tolist() != sorted(first)


def test_a_batch_depends_on_nothing_that_came_before(loader) -> None:
    one = loader()
    for step in (3, 0, 9):
        one.batch(step)
    assert np.array_equal(one.batch(7), loader().batch(7))
    assert one.batch(7).dtype == np.int64
    assert one.batch(7).shape == (BATCH, LENGTH + 1)
    assert (one.num_rows, one.sequence_length, one.vocab_size) == (NUM_ROWS, LENGTH, 300)


@pytest.mark.parametrize("num_workers", [1, 2, 3, 6])
@pytest.mark.parametrize("step", [0, 8, 9])
def test_shares_of_workers_put_together_are_the_batch(loader, num_workers: int, step: int) -> None:
    share = BATCH // num_workers
    shares = [loader().rows(step, worker * share, (worker + 1) * share) for worker in range(num_workers)]
    assert np.array_equal(np.concatenate(shares), loader().batch(step))


def test_seeds_give_different_orders(loader) -> None:
    assert not np.array_equal(loader().batch(0), loader(seed=1).batch(0))


def test_a_detour_changes_the_order_from_its_step_on(loader) -> None:
    one, once, twice = loader(), (5,), (8, 5)
    assert np.array_equal(one.batch(4), one.batch(4, once))
    assert not np.array_equal(one.batch(5), one.batch(5, once))
    assert np.array_equal(one.batch(7, once), one.batch(7, twice))
    assert not np.array_equal(one.batch(8, once), one.batch(8, twice))


def test_a_far_step_takes_no_longer(loader) -> None:
    one = loader()
    one.batch(0)
    started = time.perf_counter()
    one.batch(10**9)
    assert time.perf_counter() - started < 0.1
