"""Both sides of the data's benchmark run on the same documents, and say what they found."""

from importlib import import_module
from pathlib import Path

import pytest

from glam.bench.data import corpus, ours, peer, races
from glam.records import Document
from tests.data.conftest import document, prose, write_corpus


@pytest.fixture(autouse=True)
def all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contestants bind their process to one core; here it is that of the tests."""
    for module in (ours, peer):
        monkeypatch.setattr(module, "use_one_core", lambda: None)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Two kinds of text that a classifier tells apart."""
    write_corpus(tmp_path / "wikipedia.jsonl", [document(number, curated=True) for number in range(60)])
    odd = [document(number, text=prose(number).replace("k", "xx")) for number in range(100, 160)]
    write_corpus(tmp_path / "web.jsonl", odd)
    return str(tmp_path)


def test_documents_are_the_same_each_time_and_cut(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "PIECE_CHARACTERS", 200)
    found = corpus.documents(folder)
    assert found == corpus.documents(folder)
    assert len({each.id for each in found}) == len(found)
    assert {each.source for each in found} == {"wikipedia", "web"}
    assert max(len(each.text) for each in found) == 200


def test_planted_duplicates_are_near_and_not_equal() -> None:
    found = [Document(id=str(number), text=prose(number), source="made", unit="u") for number in range(30)]
    more, pairs = corpus.with_planted_duplicates(found)
    assert len(pairs) == 3
    assert all(more[copy].text != more[first].text for first, copy in pairs.items())
    assert len({each.id for each in more}) == len(more)


@pytest.mark.parametrize("side", ["ours", "peer"])
@pytest.mark.parametrize(
    ("builder", "facts"),
    [("rules", None), ("quality", {"auc"}), ("near_duplicates", {"recall", "kept"}), ("packing", None)],
)
def test_every_contestant_runs(folder: str, side: str, builder: str, facts: set[str] | None) -> None:
    if side == "peer":
        if builder == "quality":
            pytest.skip("fastText now and then ends with NaN on so few texts")
        pytest.importorskip("datatrove")
    found = getattr(import_module(f"glam.bench.data.{side}"), builder)(folder)()
    assert found is None if facts is None else set(found) <= facts


def test_what_they_find_is_right(folder: str) -> None:
    assert ours.near_duplicates(folder)() == {"recall": 1.0}
    assert ours.quality(folder)()["auc"] > 0.95


def test_rows_speak_of_contestants_that_are_there(folder: str) -> None:
    for race in races.races(folder):
        for claim in race.claims:
            assert {claim.ours, claim.other} <= set(race.contestants)
