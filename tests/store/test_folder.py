"""A folder is open or complete, never half of either."""

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam.records import Drop
from glam.store import IntegrityError, Store, StoreError
from glam.store.errors import is_disk_full, writing

MARK = "0123456789abcdef"


def complete(store: Store, *, mark: str = MARK, label: str = "label", reads: tuple[str, ...] = ()) -> Path:
    with store.claim("shards", label, mark) as folder:
        folder.write_text("a.txt", "hello")
        folder.commit(config={"x": 1}, reads=reads, revision=1)
    return folder.path


def test_complete_folder_is_found_by_fingerprint_whatever_its_label(store: Store) -> None:
    path = complete(store, label="what / people .. see")
    found = store.find_complete("shards", MARK)
    assert found is not None
    assert found.path == path
    assert path.parent == store.root / "shards"


def test_open_folder_is_not_complete_and_keeps_what_was_written(store: Store) -> None:
    with store.claim("shards", "x", MARK) as folder:
        folder.write_text("part.txt", "first attempt")
    assert store.find_complete("shards", MARK) is None
    with store.claim("shards", "another label", MARK) as again:
        assert (again.path / "part.txt").read_text() == "first attempt"
        assert again.path == folder.path


def test_complete_folder_is_never_committed_twice(store: Store) -> None:
    complete(store)
    with store.claim("shards", "label", MARK) as folder:
        assert folder.complete
        with pytest.raises(FileExistsError):
            folder.commit(config={}, revision=1)


def test_manifest_lists_every_file_and_verify_sees_each_kind_of_damage(store: Store) -> None:
    path = complete(store)
    folder = store.open("shards", MARK)
    assert [entry.name for entry in folder.manifest().files] == ["a.txt"]
    folder.verify()
    (path / "a.txt").write_text("jello")
    with pytest.raises(IntegrityError, match="other content"):
        folder.verify()
    (path / "a.txt").write_text("hell")
    with pytest.raises(IntegrityError, match="has 4 bytes, its manifest says 5"):
        folder.verify(contents=False)
    (path / "a.txt").unlink()
    with pytest.raises(IntegrityError, match="missing"):
        folder.verify(contents=False)


def test_foreign_manifest_is_an_error_that_names_it(store: Store) -> None:
    path = complete(store)
    (path / "manifest.json").write_text(json.dumps({"hello": 1}))
    with pytest.raises(IntegrityError, match=r"manifest\.json is not a manifest"):
        store.open("shards", MARK).manifest()


def test_a_folder_under_another_fingerprint_is_refused(store: Store) -> None:
    path = complete(store)
    path.rename(path.with_name("label-" + "f" * 16))
    with pytest.raises(IntegrityError, match=rf"label-f+ holds shards/label-{MARK}; give it its name back"):
        store.open("shards", "f" * 16)


def test_states_follow_the_heartbeat(store: Store) -> None:
    with store.claim("runs", "x", MARK) as folder:
        assert folder.state() == "running"
        long_ago = time.time() - 3600
        os.utime(folder.path / "state.json", (long_ago, long_ago))
        assert folder.state() == "interrupted"
        folder.heartbeat()
        assert folder.state() == "running"


def test_record_lines_are_whole_or_left_out(store: Store) -> None:
    drops = [Drop(document_id=str(n), source="s", reason="r") for n in range(3)]
    with store.claim("corpora", "x", MARK) as folder:
        folder.append("drops.jsonl", drops)
        with open(folder.path / "drops.jsonl", "a") as out:
            out.write('{"document_id": "cut')
        assert folder.read("drops.jsonl", Drop) == drops
    assert folder.read("never.jsonl", Drop) == []


@pytest.mark.parametrize("cut", ["x", '{"document_id": "' + "long" * 5_000])
@pytest.mark.parametrize("num_whole", [0, 1, 3])
def test_a_line_that_was_cut_spoils_none_that_comes_after_it(store: Store, cut: str, num_whole: int) -> None:
    drops = [Drop(document_id=str(n), source="s", reason="r") for n in range(5)]
    with store.claim("corpora", "x", MARK) as folder:
        folder.append("drops.jsonl", drops[:num_whole])
        with open(folder.path / "drops.jsonl", "a") as out:
            out.write(cut)
        folder.append("drops.jsonl", drops[num_whole:4])
        folder.append("drops.jsonl", drops[4:])
        assert folder.read("drops.jsonl", Drop) == drops


def _hold(root: str) -> None:
    with Store(root).claim("shards", "x", MARK):
        time.sleep(60)


def test_second_claim_waits_and_kill_releases_the_lock(store: Store) -> None:
    holder = multiprocessing.get_context("spawn").Process(target=_hold, args=(str(store.root),))
    holder.start()
    while store.find("shards", MARK) is None:
        time.sleep(0.05)
    with (
        pytest.raises(StoreError, match="still held by another process"),
        store.lock(f"shards-{MARK}", patience_seconds=0.3),
    ):
        pass
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with store.claim("shards", "x", MARK) as folder:
        assert not folder.complete


@pytest.mark.parametrize(
    ("code", "advice"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission")]
)
def test_refusals_of_the_system_say_what_to_do(code: int, advice: str) -> None:
    with pytest.raises(StoreError, match=advice), writing(Path("somewhere")):
        raise OSError(code, os.strerror(code), "somewhere/file")


def test_a_full_disk_is_recognised_behind_the_error_of_any_library() -> None:
    sqlite = RuntimeError("(sqlite3.OperationalError) database or disk is full")
    outer = ValueError("cannot log")
    outer.__cause__ = sqlite
    assert is_disk_full(outer)
    assert is_disk_full(OSError(errno.ENOSPC, "full"))
    assert is_disk_full(OSError("278209 requested and 0 written")), "numpy's words"
    assert not is_disk_full(OSError(errno.EACCES, "no"))
    assert not is_disk_full(None)


@pytest.fixture
def mounted(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A tmpfs with the options that the test asks for."""
    place = tmp_path / "mounted"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", place], check=False).returncode
    ):
        pytest.skip("no permission to mount here")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("mounted", ["size=256k"], indirect=True)
def test_full_disk_leaves_no_manifest_behind(mounted: Path) -> None:
    store = Store(mounted / "store")
    with (
        pytest.raises(StoreError, match="disk is full"),
        store.claim("shards", "x", MARK) as folder,
        writing(folder.path),
    ):
        folder.write_text("big.txt", "x" * 1_000_000)
    assert store.find_complete("shards", MARK) is None


@pytest.mark.parametrize("mounted", ["ro"], indirect=True)
def test_store_that_cannot_be_written_is_a_clear_error(mounted: Path) -> None:
    with (
        pytest.raises(StoreError, match="read-only: choose another place"),
        Store(mounted / "s").claim("shards", "x", MARK),
    ):
        pass
