"""What is remembered of files is given again, is never of other files or other code, and may be lost."""

from pathlib import Path

import pytest

from glam.evaluation import remembered as remembering
from glam.evaluation.remembered import folder, remembered


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return folder()


def never() -> list[str]:
    raise AssertionError("it is known")


def test_what_was_made_is_not_made_again_and_of_other_things_nothing_is_known(cache: Path) -> None:
    assert remembered(["arc", 1], lambda: ["a", "b"]) == ["a", "b"]
    assert remembered(["arc", 1], never) == ["a", "b"]
    assert remembered(["arc", 2], lambda: ["c"]) == ["c"]
    assert len(list(cache.iterdir())) == 2


def test_other_code_makes_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered("arc", lambda: ["before"])
    monkeypatch.setattr(remembering, "_code", lambda: "another")
    assert remembered("arc", lambda: ["after"]) == ["after"]


@pytest.mark.parametrize("broken", ["", "{", '{"a": 1}', "[1]", "null"])
def test_a_broken_note_is_made_again(cache: Path, broken: str) -> None:
    remembered("arc", lambda: ["a"])
    (note,) = cache.iterdir()
    note.write_text(broken)
    assert remembered("arc", lambda: ["b"]) == ["b"]
    assert remembered("arc", never) == ["b"]


def test_without_a_place_to_write_it_is_made_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert remembered("arc", lambda: ["a"]) == ["a"]
    assert remembered("arc", lambda: ["b"]) == ["b"]
