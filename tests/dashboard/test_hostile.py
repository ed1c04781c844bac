"""Folders that came from anywhere: each page shows what is broken and is harmed by nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.queries import list_runs
from dashboard.queries.curves import read_curves
from dashboard.queries.experts import read_loads
from dashboard.queries.scores import list_subjects, scores_of
from glam.store import Store
from tests.dashboard.fabricated import VERDICT
from tests.dashboard.opened import PAGES, opened, shown

SPARSE = "1000000000000000"
SCRIPT = "<img src=x onerror=alert(1)>"


def edit(path: Path, change: Callable[[dict], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def spoil_text(path: Path) -> None:
    path.write_text("{" + SCRIPT + "\n")


def spoil_depth(path: Path) -> None:
    path.write_text("[" * 200_000)


def spoil_bytes(path: Path) -> None:
    path.write_bytes(os.urandom(1 << 16))


def spoil_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def spoil_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def spoil_type(path: Path) -> None:
    path.write_text("[1, 2]")


def spoil_nothing(path: Path) -> None:
    path.unlink()


def spoil_number(path: Path) -> None:
    path.write_text(f'{{"schema_version": {"9" * 5000}}}')


SPOILERS = (*(spoil_text, spoil_depth, spoil_bytes, spoil_pipe, spoil_link, spoil_type, spoil_nothing, spoil_number),)


@pytest.mark.parametrize("spoil", SPOILERS)
def test_every_file_of_a_store_may_be_spoilt(spoil, own_store: Store, monkeypatch: pytest.MonkeyPatch):
    store = own_store
    for path in sorted(store.root.rglob("*")):
        if path.is_file() and path.suffix in (".json", ".jsonl", ".parquet") and "locks" not in path.parts:
            # The state of a folder is its manifest's being there.
            if path.name == "manifest.json" and spoil in (spoil_nothing, spoil_link, spoil_pipe):
                continue
            spoil(path)
    for page in PAGES:
        app = opened(page, store.root, monkeypatch)
        assert "root:" not in shown(app), "what a link leads to is not quoted"
        assert SCRIPT not in shown(app)
    for view in ("averages", "paired", "published", "items"):
        opened("tasks", store.root, monkeypatch, view=view)


@pytest.mark.parametrize(
    "name",
    ["summary.json", "manifest.json", "specialization.json", "steps.jsonl", "experts.jsonl", "heldout.jsonl"],
)
def test_one_spoilt_file_of_a_run_leaves_the_others_alone(name: str, own_store: Store, monkeypatch: pytest.MonkeyPatch):
    store = own_store
    folder = store.find("runs", SPARSE)
    assert folder is not None
    spoil_text(folder.path / name)
    states = {run.fingerprint: run.state for run in list_runs(store.root)}
    assert states[SPARSE] == ("broken" if name in ("summary.json", "manifest.json") else "complete")
    assert list(states.values()).count("complete") >= 3
    problems = (read_curves(store.root, SPARSE).problem, read_loads(store.root, SPARSE).problem)
    assert any(problems) == name.endswith(".jsonl")
    for page in ("training", "experts", "runs"):
        opened(page, store.root, monkeypatch, runs=[SPARSE], run=SPARSE)


def test_a_broken_record_of_who_takes_what_shows_as_broken_beside_the_loads(
    own_store: Store, monkeypatch: pytest.MonkeyPatch
):
    path = own_store.open("runs", SPARSE).path / "specialization.json"
    edit(path, lambda record: record.update(by_source={SCRIPT: record["by_kind"]["number"]}))
    app = opened("experts", own_store.root, monkeypatch, run=SPARSE)
    assert "cannot be read: kinds and sources do not count the same tokens" in shown(app)
    assert len(app.get("vega_lite_chart")) == 7
    edit(path, lambda record: record.update(by_kind={SCRIPT: [[1, 1]]}, by_source={SCRIPT: [[1, 1]]}))
    app = opened("experts", own_store.root, monkeypatch, run=SPARSE, layer="2")
    assert "it has 1 mixture layer, fewer than the run" in shown(app)
    app = opened("experts", own_store.root, monkeypatch, run=SPARSE, layer="1")
    assert SCRIPT not in shown(app)
    assert len(app.get("vega_lite_chart")) == 9


def test_a_broken_score_shows_as_broken_and_the_others_stand(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    store = own_store
    for folder in store.folders("scores"):
        if folder.reference.label == "sparse-s0-arc_easy-0shot":
            spoil_text(folder.path / "result.json")
        if folder.reference.label == "sparse-s0-triviaqa-0shot":
            spoil_text(folder.path / "items.parquet")
    app = opened("tasks", store.root, monkeypatch)
    assert "arc_easy: cannot be read" in shown(app)
    (subject,) = (each for each in list_subjects(store.root, list_runs(store.root)) if each.run_fingerprint == SPARSE)
    assert sum(1 for each in scores_of(store.root, subject) if each.problem) == 1
    app = opened("tasks", store.root, monkeypatch, view="items", task='triviaqa~0~{"seed": 0}')
    assert "items cannot be read" in shown(app)


def test_names_in_records_are_text_on_every_page(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    store = own_store
    path = store.open("verdicts", VERDICT).path / "verdict.json"
    name = f"{SCRIPT} [x](javascript:alert(1)) :material/home: **b**"
    path.write_text(path.read_text().replace('"sparse"', json.dumps(name)).replace("sparse is", f"{SCRIPT} is"))
    edit(path, lambda verdict: verdict.update(caveats=[name, "# a\n# b", "www.example.invalid"]))
    for folder in store.folders("runs"):
        if folder.complete and folder.reference.label.startswith("sparse"):
            edit(folder.path / "summary.json", lambda summary: summary.update(arm=name))
    for page in PAGES:
        app = opened(page, store.root, monkeypatch)
        for element in (*app.markdown, *app.info, *app.error, *app.warning, *app.success, *app.caption, *app.metric):
            for text in (element.value, getattr(element, "delta", None) or ""):
                assert SCRIPT not in text
                assert "[x](" not in text
                assert ":material/" not in text
                assert "www.example" not in text


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("manifest.json", {"started": "0001-01-01T00:00:00+14:00"}),
        ("manifest.json", {"started": "9999-12-31T23:59:59-14:00"}),
        ("summary.json", {"arm": ""}),
    ],
)
def test_a_time_outside_of_time_and_an_arm_without_a_name_are_broken(
    file: str, change: dict[str, str], own_store: Store, monkeypatch: pytest.MonkeyPatch
):
    folder = own_store.find("runs", SPARSE)
    assert folder is not None
    edit(folder.path / file, lambda record: record.update(change))
    assert {run.state for run in list_runs(own_store.root) if run.fingerprint == SPARSE} == {"broken"}
    for page in PAGES:
        opened(page, own_store.root, monkeypatch, runs=[SPARSE], run=SPARSE, first=SPARSE)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e308", "NaN", "1" + "0" * 17])
def test_numbers_of_any_size_are_shown_or_broken(number: str, own_store: Store, monkeypatch: pytest.MonkeyPatch):
    store = own_store
    folder = store.find("runs", SPARSE)
    assert folder is not None
    path = folder.path / "summary.json"
    summary = json.loads(path.read_text())
    for name in ("train_loss", "heldout_loss", "elapsed_seconds", "energy_joules", "flops_per_token", "total_params"):
        summary[name] = "HERE"
    path.write_text(json.dumps(summary).replace('"HERE"', number))
    steps = (folder.path / "steps.jsonl").read_text().splitlines()
    steps[10] = json.dumps(json.loads(steps[10]) | {"loss": "HERE", "elapsed_seconds": 5.0}).replace('"HERE"', number)
    (folder.path / "steps.jsonl").write_text("\n".join(steps) + "\n")
    verdict = store.open("verdicts", VERDICT).path / "verdict.json"
    edit(verdict, lambda found: [arm.update(energy_joules="HERE", tokens_per_run="HERE") for arm in found["arms"]])
    verdict.write_text(verdict.read_text().replace('"HERE"', number))
    for page in PAGES:
        opened(page, store.root, monkeypatch, runs=[SPARSE], run=SPARSE)


def test_no_name_leads_out_of_the_store(own_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = own_store.root
    outside = Store(tmp_path / "other")
    with outside.claim("verdicts", "outside", "c" * 16) as folder:
        folder.write_text("verdict.json", "{}")
        folder.commit(config={}, revision=1)
    for study in ("../other/verdicts/outside-" + "c" * 16, "c" * 16, "*", "/etc"):
        app = opened("verdict", root, monkeypatch, study=study)
        assert not app.error
        assert "sparse is better" in shown(app)
        assert ("has no verdict yet" in shown(app)) == (study == "c" * 16)
