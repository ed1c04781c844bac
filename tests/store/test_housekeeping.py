"""What a verdict or a pin needs stays; the rest may go."""

import pytest

from glam.store import Folder, Store, StoreError, housekeeping


def make(store: Store, kind: str, mark: str, reads: tuple[Folder, ...] = ()) -> Folder:
    with store.claim(kind, "x", mark * 16) as folder:
        folder.write_text("a.txt", "content")
        folder.commit(config={}, reads=[str(read.reference) for read in reads], revision=1)
    return folder


def test_what_a_verdict_was_made_from_stays(store: Store) -> None:
    shards = make(store, "shards", "a")
    run = make(store, "runs", "b", (shards,))
    make(store, "verdicts", "c", (run,))
    stray = make(store, "runs", "d", (shards,))
    assert [str(each.reference) for each in housekeeping.unneeded(store)] == [str(stray.reference)]
    assert housekeeping.collect(store) > 0
    assert store.find("runs", "d" * 16) is None
    assert store.find_complete("shards", "a" * 16) is not None


def test_a_pin_keeps_a_folder_and_its_ancestors(store: Store) -> None:
    run = make(store, "runs", "b", (make(store, "shards", "a"),))
    assert len(housekeeping.unneeded(store)) == 2
    housekeeping.pin(store, run.reference.fingerprint)
    assert housekeeping.unneeded(store) == []
    assert {str(entry.reference): entry.pinned for entry in housekeeping.entries(store)}[str(run.reference)]
    housekeeping.pin(store, run.reference.fingerprint, pinned=False)
    assert len(housekeeping.unneeded(store)) == 2


def test_a_folder_that_somebody_works_on_stays(store: Store) -> None:
    with store.claim("runs", "x", "e" * 16):
        assert housekeeping.unneeded(store) == []


def test_a_name_that_fits_nothing_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="names none"):
        housekeeping.find(store, "nothing")
