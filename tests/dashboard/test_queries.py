"""What pages read: once for each change, of a running run as it grows, and of many large runs without their steps."""

import json
from pathlib import Path

import numpy as np
import pytest

from dashboard.queries import curves as curve_queries
from dashboard.queries import items as item_queries
from dashboard.queries import lines, list_runs, list_verdicts
from dashboard.queries import runs as run_queries
from dashboard.queries.curves import read_curves
from dashboard.queries.experts import Specialization, alarms, has_loads, read_loads, read_specialization, task_shares
from dashboard.queries.items import pair_items, read_rows
from dashboard.queries.scores import list_subjects, scores_of
from glam.records import ItemScore, StepMetrics
from glam.store import Store
from glam.store.tables import write_table
from tests.dashboard.fabricated import STEPS
from tests.dashboard.opened import PAGES, opened
from workers.bench.viewing_store import Size, make_store

SPARSE = "1000000000000000"


def step(number: int) -> StepMetrics:
    return StepMetrics(
        step=number,
        tokens=number,
        loss=1.0,
        grad_norm=1.0,
        learning_rate=1.0,
        elapsed_seconds=1.0,
        tokens_per_second=1.0,
    )


def test_what_has_not_changed_is_read_once(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    store = own_store
    list_runs(store.root)
    first = read_curves(store.root, SPARSE)
    monkeypatch.setattr(run_queries, "read_record", None)
    monkeypatch.setattr(curve_queries, "read_numbers", None)
    list_runs(store.root)
    assert read_curves(store.root, SPARSE).steps is first.steps
    assert first.steps.num_lines == STEPS


def test_a_running_run_is_followed(tmp_path: Path):
    store = Store(tmp_path)
    with store.claim("runs", "sparse-s0", "a" * 16) as folder:
        assert list_runs(tmp_path)[0].state == "running"
        assert list_runs(tmp_path)[0].num_steps is None
        for number in (1, 2):
            folder.append("steps.jsonl", [step(number)])
            (run,) = list_runs(tmp_path)
            assert run.num_steps == number
            assert read_curves(tmp_path, run.fingerprint).steps.columns["step"].tolist() == list(range(1, number + 1))


def test_a_list_of_runs_reads_no_steps_of_those_that_are_complete(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    for folder in own_store.folders("runs"):
        if not folder.complete:
            own_store.discard(folder)
    monkeypatch.setattr(run_queries, "last_line", None)
    assert len(list_runs(own_store.root)) == 4


def test_loads_name_dead_and_overloaded_experts(tmp_path: Path):
    store = Store(tmp_path)
    with store.claim("runs", "sparse-s0", "a" * 16) as folder:
        rows = [{"step": number, "load_LE": [[100, 100, 100, 100], [0, 5, 380, 15]]} for number in range(1, 21)]
        (folder.path / "experts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    loads = read_loads(tmp_path, "a" * 16)
    assert loads.over_mean_SLE.shape == (20, 2, 4)
    assert [(each.layer, each.expert) for each in alarms(loads)] == [(2, 1), (2, 2)]
    assert next(each.sentence for each in alarms(loads)).startswith("Expert 1 of mixture layer 2 is dead: 0.00 times")
    with store.claim("runs", "sparse-s1", "b" * 16) as folder:
        (folder.path / "experts.jsonl").write_text(json.dumps({"step": 1, "load_LE": [[9, *[1] * 9]]}) + "\n")
    (alarm,) = alarms(read_loads(tmp_path, "b" * 16))
    assert "overloaded: 5.00 times" in alarm.sentence


def test_runs_with_experts_are_known_by_their_loads(own_store: Store):
    complete = [run for run in list_runs(own_store.root) if run.state == "complete"]
    found = {(run.arm, has_loads(own_store.root, run.fingerprint)) for run in complete}
    assert found == {("sparse", True), ("dense", False)}


@pytest.mark.parametrize("load", [[[1, 2], [3]], [], [[]], [["x"]], [[-1e400]]])
def test_loads_that_are_no_table_are_broken(load: object, tmp_path: Path):
    with Store(tmp_path).claim("runs", "sparse-s0", "a" * 16) as folder:
        (folder.path / "experts.jsonl").write_text(json.dumps({"step": 1, "load_LE": load}) + "\n")
    assert read_loads(tmp_path, "a" * 16).problem


def test_items_are_paired_by_name_whatever_their_order(own_store: Store):
    for arm in ("sparse", "dense"):
        with own_store.claim("scores", f"{arm}-s0-mixed-0shot", ("8" if arm == "sparse" else "9") * 16) as folder:
            order = range(10) if arm == "sparse" else range(12, 2, -1)
            items = [
                ItemScore(
                    item_id=f"i{number}",
                    cluster="c",
                    value=float(number % 2),
                    prompt=f"{arm} {number}",
                    choices=("a", "b"),
                    right=(0,),
                    chosen=1 - number % 2,
                )
                for number in order
            ]
            write_table(folder, "items.parquet", items)
            folder.write_text(
                "result.json",
                '{"task": "mixed", "num_shots": 0, "metric": "accuracy", "value": 0.5, "num_examples": 10}',
            )
            mark = SPARSE if arm == "sparse" else "2000000000000000"
            folder.commit(config={"task": "mixed", "num_shots": 0}, reads=[f"runs/{arm}-s0-{mark}"], revision=1)
    subjects = [
        each
        for each in list_subjects(own_store.root, list_runs(own_store.root))
        if each.label in ("sparse-s0", "dense-s0")
    ]
    first, second = (
        next(score for score in scores_of(own_store.root, subject) if score.task == "mixed") for subject in subjects
    )
    pairs = pair_items(first, second)
    assert len(pairs.id_N) == 7
    for place, name in enumerate(pairs.id_N):
        one = read_rows(first, [int(pairs.first_row_N[place])])[0]
        other = read_rows(second, [int(pairs.second_row_N[place])])[0]
        assert one["item_id"] == other["item_id"] == name
    assert (pairs.first_right_N == pairs.second_right_N).all()
    assert len(pairs.which("both right")) + len(pairs.which("both wrong")) == 7


def test_a_page_of_items_reads_only_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(tmp_path).claim("scores", "x-task-0shot", "7" * 16) as folder:
        items = [ItemScore(item_id=f"i{number}", cluster="c", value=1.0, prompt="p" * 100) for number in range(5_000)]
        write_table(folder, "items.parquet", items)
        folder.write_text(
            "result.json", '{"task": "task", "num_shots": 0, "metric": "accuracy", "value": 1, "num_examples": 5000}'
        )
        folder.commit(config={"task": "task", "num_shots": 0}, revision=1)
    (subject,) = list_subjects(tmp_path, [])
    (score,) = scores_of(tmp_path, subject)
    decoded: list[int] = []
    whole = item_queries.pq.ParquetFile.iter_batches

    def counted(self, *arguments, **options):
        for batch in whole(self, *arguments, **options):
            decoded.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(item_queries.pq.ParquetFile, "iter_batches", counted)
    rows = read_rows(score, [3, 1, 700])
    assert [row["item_id"] for row in rows] == ["i3", "i1", "i700"]
    assert sum(decoded) < 2_000


def test_experts_of_a_task_are_shares_of_each_layer(own_store: Store):
    (subject,) = (
        each for each in list_subjects(own_store.root, list_runs(own_store.root)) if each.run_fingerprint == SPARSE
    )
    shares = [task_shares(score) for score in scores_of(own_store.root, subject)]
    assert any(share is None for share in shares), "arc_easy's were not counted"
    known = [share for share in shares if isinstance(share, np.ndarray)]
    assert all(np.allclose(share.sum(axis=1), 1) for share in known)


def test_kinds_and_sources_are_shares_of_each_layer(root: Path):
    found = read_specialization(root, SPARSE)
    assert isinstance(found, Specialization)
    for shares in (found.kinds, found.sources):
        assert np.allclose(shares.share_GLE.sum(axis=2), 1)
        assert shares.num_tokens_G.sum() == found.num_tokens == 600
    assert found.kinds.names == ("word start", "number")
    assert found.kinds.num_tokens_G.tolist() == [400, 200]
    assert found.kinds.share_GLE[1, 0, 2] == 1
    assert found.sources.num_tokens_G.tolist() == [360, 240]
    assert read_specialization(root, SPARSE[:-1] + "1") is None


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"by_kind": {}, "by_source": {}},
        {"by_kind": {"a": [[1, 2], [3]]}, "by_source": {"b": [[1, 2], [3]]}},
        {"by_kind": {"a": [[1, 2]], "b": [[1], [2]]}, "by_source": {"c": [[1, 2]]}},
        {"by_kind": {"a": [[1, 2]]}, "by_source": {"b": [[2, 1]]}},
        {"by_kind": {"a": [[1, 2]]}, "by_source": {"b": [[1, 1]], "c": [[0, 1]], "d": [[0, 0]]}},
        {"by_kind": {"a": [[4, -1]]}, "by_source": {"b": [[4, -1]]}},
        {"by_kind": {"a": [[1, 2]]}, "by_source": {"b": [[1, 2]]}, "num_tokens": 0},
        {"by_kind": {str(each): [[1, 1]] for each in range(300)}, "by_source": {"b": [[300, 300]]}},
        {"by_kind": {"a": [[1, 2]]}, "by_source": {"b": [[1, 2]]}, "more": 1},
    ],
)
def test_a_specialization_that_is_none_is_broken(record: dict, tmp_path: Path):
    with Store(tmp_path).claim("runs", "sparse-s0", "a" * 16) as folder:
        (folder.path / "specialization.json").write_text(json.dumps({"num_tokens": 3} | record))
    assert isinstance(read_specialization(tmp_path, "a" * 16), str)


def test_every_page_opens_over_the_store_of_the_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = make_store(tmp_path, Size(num_runs=16, num_steps=3_000, num_items=300))
    assert len(list_runs(tmp_path)) == 16
    assert [len(entry.runs) for entry in list_verdicts(tmp_path)] == [8, 8]
    for folder in store.folders():
        folder.verify()
    monkeypatch.setattr(lines, "MAX_WHOLE_BYTES", 100_000)
    for page in PAGES:
        app = opened(page, tmp_path, monkeypatch)
        assert not app.error
    app = opened("tasks", tmp_path, monkeypatch, view="items")
    assert not app.error
    assert len(app.dataframe) == 2
    curve = read_curves(tmp_path, list_runs(tmp_path)[0].fingerprint).steps
    assert len(curve.columns["step"]) <= curve_queries.MAX_POINTS
    assert curve.columns["step"][-1] == 3_000
