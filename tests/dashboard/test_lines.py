"""Lines as columns: every line of a short file, an even choice of a long one, and a reason for what is wrong."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from dashboard.queries import lines as reading
from dashboard.queries.curves import MAX_POINTS, still_standing, thinned
from dashboard.queries.files import Broken
from dashboard.queries.lines import last_line, read_numbers, sample_lines


def write(path: Path, rows: list[dict], end: str = "\n") -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + end)
    return path


def read(path: Path, most: int = 100) -> reading.Table:
    return read_numbers(path, ("step", "loss", "mfu"), required=("step", "loss"), most_lines=most)


def test_numbers_are_read_and_what_is_not_there_is_nan(tmp_path: Path):
    path = write(tmp_path / "a", [{"step": 1, "loss": 2.5, "x": "other"}, {"step": 2, "loss": 2, "mfu": 0.5}])
    table = read(path)
    assert table.num_lines == 2
    assert table.columns["loss"].tolist() == [2.5, 2.0]
    assert np.isnan(table.columns["mfu"][0])
    assert table.columns["mfu"][1] == 0.5


def test_a_last_line_without_its_end_is_left_out(tmp_path: Path):
    assert read(write(tmp_path / "a", [{"step": 1, "loss": 1}], end='\n{"step": 2, "lo')).num_lines == 1
    assert read(write(tmp_path / "b", [], end="")).num_lines == 0
    assert read(write(tmp_path / "c", [{"step": 1, "loss": 1}], end="")).num_lines == 0


def test_a_loss_that_is_no_number_is_read_as_it_was_written(tmp_path: Path):
    losses = read(write(tmp_path / "a", [{"step": 1, "loss": "NaN"}, {"step": 2, "loss": "Infinity"}])).columns["loss"]
    assert np.isnan(losses[0])
    assert np.isposinf(losses[1])


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 2, "loss": "much"}',
        '{"step": 2}',
        '{"step": 2, "loss": null}',
        '{"step": true, "loss": 1}',
        '{"step": 2, "loss": [1]}',
        '{"step": 2, "loss": {"a": 1}}',
        '{"step": ' + "9" * 400 + ', "loss": 1}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "nonsense",
        "17",
        "\0\0\0",
        '{"step": 2, "loss": 1} {"step": 3, "loss": 1}',
    ],
)
def test_a_bad_line_is_named_and_its_text_is_not_quoted(line: str, tmp_path: Path):
    good = json.dumps({"step": 1, "loss": 1})
    (tmp_path / "steps.jsonl").write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(Broken, match=r"^steps.jsonl, line 2: ") as error:
        read(tmp_path / "steps.jsonl")
    assert len(str(error.value)) < 200
    assert "nonsense" not in str(error.value)


def test_bytes_that_are_no_text_are_broken(tmp_path: Path):
    (tmp_path / "a").write_bytes(b'{"step": 1, "loss": "NaN", "x": "\xff\xfe"}\n')
    with pytest.raises(Broken, match="UTF-8"):
        read(tmp_path / "a")


def test_of_a_long_file_lines_are_taken_evenly_with_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "a", [{"step": step, "loss": 1.0} for step in range(1, 10_001)])
    monkeypatch.setattr(reading, "MAX_WHOLE_BYTES", 1_000)
    table = read(path, most=200)
    steps = table.columns["step"]
    assert (steps[0], steps[-1], len(steps)) == (1, 10_000, 200)
    assert np.diff(steps).max() < 3 * 10_000 / 200
    assert abs(table.num_lines - 10_000) < 500


def test_sampled_lines_are_whole_whatever_their_length(tmp_path: Path):
    (tmp_path / "a").write_text("".join(f"{'x' * (number * 7 % 9000)}|{number}\n" for number in range(300)) + "torn")
    found = sample_lines(tmp_path / "a", 50)
    assert [place for place, _ in found] == sorted({place for place, _ in found})
    assert all(line.endswith(b"\n") and b"|" in line for _, line in found)
    assert last_line(tmp_path / "a").endswith(b"|299\n")


def test_a_line_without_an_end_in_sight_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 1_000)
    (tmp_path / "a").write_text("x" * 5_000 + "\n")
    with pytest.raises(Broken, match="longer than"):
        sample_lines(tmp_path / "a", 3)
    (tmp_path / "b").write_text("x" * 5_000)
    with pytest.raises(Broken, match="longer than"):
        sample_lines(tmp_path / "b", 3)


def test_links_pipes_and_folders_are_not_read(tmp_path: Path):
    secret = write(tmp_path / "outside", [{"step": 1, "loss": 1}])
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(Broken, match="no regular file"):
            read(tmp_path / name)


def test_what_was_written_again_counts_once():
    step = np.array([1, 2, 3, 4, 5, 3, 4, 5, 6.0])
    assert still_standing(step).tolist() == [0, 1, 5, 6, 7, 8]
    assert still_standing(np.array([1, 2, 3, 2.0])).tolist() == [0, 3], "what was beyond a return is gone"
    assert still_standing(np.empty(0)).tolist() == []


@pytest.mark.parametrize("count", [0, 1, MAX_POINTS, MAX_POINTS + 1, 100_000])
def test_curves_are_thinned_and_keep_their_ends(count: int):
    places = thinned(count)
    assert len(places) == min(count, MAX_POINTS)
    if count:
        assert (places[0], places[-1]) == (0, count - 1)
        assert len(set(places.tolist())) == len(places)
