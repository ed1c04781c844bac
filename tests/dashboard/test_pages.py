"""Every page opens, over an empty store, a small one and a broken one, with and without a selection in its address."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.parts.runs import likely, likely_pair
from dashboard.queries import RunEntry, list_runs
from dashboard.views import pair
from glam.analysis.evidence import Score
from glam.records import EvalResult, ExpertLoad, ItemScore, RunPlan
from glam.store import FolderReference, Store
from tests.dashboard.fabricated import HOSTILE_NAME, RUNNING, VERDICT
from tests.dashboard.fabricated_scores import write_score
from tests.dashboard.opened import APP, PAGES, opened, shown, table_with

SPARSE, DENSE = "1000000000000000", "2000000000000000"
ARC = 'arc_easy~0~{"seed": 0}'


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store_shows_what_to_do_and_stays_empty(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened(page, tmp_path / "nothing", monkeypatch)
    assert app.code[0].value.startswith("glam ")
    assert not (tmp_path / "nothing").exists(), "looking makes nothing"


@pytest.mark.parametrize("page", PAGES)
def test_an_address_that_means_nothing_here_is_passed_over(page: str, root: Path, monkeypatch: pytest.MonkeyPatch):
    nonsense = {
        "study": "../../etc",
        "runs": ["x", "../y"],
        "run": "?",
        "axis": "miles",
        "layer": "99",
        "pue": "nan",
        "page": "-1",
        "first": "nobody",
        "task": "<script>",
        "data": "0",
        "view": "all",
        "smoothing": "1e9",
    }
    assert not opened(page, root, monkeypatch, **nonsense).exception


def test_the_verdict_stands_in_a_sentence_with_costs_and_speed_ups(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("verdict", root, monkeypatch)
    text = shown(app)
    assert "sparse is better than dense by" in text
    assert "sparse wins 1, loses 0, and 8 are undecided" in text
    metrics = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    assert metrics["Tokens: speed-up"][0] == "1.42 ×"
    assert metrics["Tokens: speed-up"][1].replace("\\", "") == "1.18 to 1.77, extrapolated"
    costs = table_with(app, "Speed-up")
    assert list(costs["At equal"]) == ["tokens", "training FLOPs", "training seconds", "energy, joules"]
    assert costs["Speed-up"][2] == "1.05 × [0.88, 1.31]"
    assert list(table_with(app, "Law")["Law"]) == ["loss = E + A (C / C0)^-alpha"]
    assert len(app.get("vega_lite_chart")) == 4
    assert "power model" in text or "CPU time" in text
    assert not app.error


def test_a_verdict_from_before_speed_ups_says_that_it_has_none(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    folder = own_store.open("verdicts", VERDICT)
    verdict = json.loads((folder.path / "verdict.json").read_text())
    for contrast in verdict["contrasts"]:
        for axis in contrast["axes"]:
            del axis["speedup"]
    del verdict["scaling"]
    (folder.path / "verdict.json").write_text(json.dumps(verdict))
    app = opened("verdict", own_store.root, monkeypatch)
    assert [metric.value for metric in app.metric][1:] == ["unknown"] * 4
    assert "glam compare makes it anew" in shown(app)


def test_the_axis_of_the_address_is_drawn(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("verdict", root, monkeypatch, axis="joules", study=VERDICT, pair="sparse~dense")
    assert app.button_group[0].value == "joules"
    assert app.query_params["axis"] == "joules"
    assert "study" not in app.query_params, "what would be shown anyway does not lengthen the address"


@pytest.mark.parametrize(
    "name", ["heldout", "loss", "learning_rate", "grad_norm", "tokens_per_second", "skipped_steps"]
)
def test_training_draws_each_quantity(name: str, root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("training", root, monkeypatch, show=name, smoothing="0.6", runs=[SPARSE, DENSE])
    assert len(app.get("vega_lite_chart")) == 1
    assert app.multiselect[0].value == [SPARSE, DENSE]


def test_training_says_what_is_unknown_and_which_run_goes_on(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    root = own_store.root
    app = opened("training", root, monkeypatch, show="mfu", runs=[SPARSE, RUNNING])
    assert "unknown against tokens" in shown(app)
    assert "Going on: sparse-s2 · dddddddd at step 90" in shown(app)
    app = opened("training", root, monkeypatch, axis="flops", runs=[RUNNING])
    assert "How many FLOPs a token takes is not said" in shown(app)
    running = own_store.find("runs", RUNNING)
    assert running is not None
    plan = RunPlan(config={"train": {"num_steps": 300}}, reads=(), flops_per_token=1e7)
    running.write_text("plan.json", plan.model_dump_json())
    app = opened("training", root, monkeypatch, axis="flops", runs=[RUNNING])
    assert "How many FLOPs" not in shown(app)
    assert len(app.get("vega_lite_chart")) == 1
    app = opened("runs", root, monkeypatch, view="pair", first=RUNNING, second=SPARSE)
    assert not app.exception


def test_a_dead_expert_is_named(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("experts", root, monkeypatch, run=SPARSE, layer="2")
    text = shown(app)
    assert "Expert 8 of mixture layer 2 is dead: 0.02 times the mean load." in text
    assert "600 tokens of held-out text when training was done" in text
    assert len(app.get("vega_lite_chart")) == 9


def test_a_run_from_before_choices_were_counted_by_text_says_so(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    app = opened("experts", own_store.root, monkeypatch, run=SPARSE[:-1] + "1")
    assert "Not counted: trained before these choices were recorded." in shown(app)
    assert len(app.get("vega_lite_chart")) == 7
    running = own_store.find("runs", RUNNING)
    assert running is not None
    running.append("experts.jsonl", [ExpertLoad(step=1, load_LE=((1, 2), (2, 1)))])
    assert "Not counted yet" in shown(opened("experts", own_store.root, monkeypatch, run=RUNNING))


def test_a_dense_run_has_no_experts(root: Path, monkeypatch: pytest.MonkeyPatch):
    assert "has no experts" in shown(opened("experts", root, monkeypatch, run=DENSE))


def test_tasks_show_two_models_beside_chance(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("tasks", root, monkeypatch)
    table = table_with(app, "Category").set_index("Task")
    assert table.loc["arc easy", "sparse"] == "52.0 % [42.0 %, 62.0 %]"
    assert table.loc["arc easy", "Category"] == "common-sense reasoning"
    assert table.loc["arc easy", "Majority"] == "52.0 %"
    assert table.loc["heldout", "dense"].startswith("4.")
    assert [box.value for box in app.selectbox[:2]] == ["sparse-s0 · 10000000", "dense-s0 · 20000000"]


def test_published_scores_say_how_sure_they_are(root: Path, monkeypatch: pytest.MonkeyPatch):
    table = table_with(opened("tasks", root, monkeypatch, view="published"), "GPT-3").set_index("Task")
    assert table.loc["arc easy", "GPT-3"] == "68.8 % (verified)"
    assert table.loc["arc easy", "Gopher"] == "not in print"
    assert table.loc["triviaqa", "sparse"] == "20.0 %"


def test_an_average_that_lacks_an_entry_is_unknown(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("tasks", root, monkeypatch, view="averages")
    table = table_with(app, "Average").set_index("Average")
    assert table.loc["All", "sparse"] == "unknown (28 of 30 missing)"
    assert table.loc["All", "GLaM 64B/64E"] == "62.7 % (verified)"
    assert "sparse lacks 28 of 30 entries" in shown(app)


def test_the_papers_few_shot_numbers_are_a_choice_of_their_own(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    run = FolderReference(kind="runs", label="sparse-s0", fingerprint=SPARSE)
    for task, shots in (("copa", 16), ("copa", 4), ("drop", 2)):
        result = EvalResult(task=task, num_shots=shots, metric="accuracy", value=0.5, num_examples=1)
        item = ItemScore(item_id="x", cluster="x", value=0.5)
        write_score(own_store, run, Score(result, (item,)), experts=False)
    app = opened("tasks", own_store.root, monkeypatch, shots="paper")
    table = table_with(app, "Category")
    assert sorted(zip(table["Task"], table["Shots"], strict=True)) == [("copa", 16), ("drop", 2)]


def test_paired_tests_name_a_winner_only_after_correction(root: Path, monkeypatch: pytest.MonkeyPatch):
    decisions = table_with(opened("tasks", root, monkeypatch, view="paired"), "Holm's p")
    assert len(decisions) == 9
    undecided = ("too noisy at this size", "not after the correction of Holm")
    assert all(each.startswith(undecided) or each in ("sparse", "dense") for each in decisions["Better"])


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        ("both right", [0, 6, 12, 18, 24]),
        ("only first", [2, 4, 8, 10, 14, 16, 20, 22]),
        ("only second", [3, 9, 15, 21]),
    ],
)
def test_items_are_filtered_by_who_is_right(which: str, ids: list[int], root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("tasks", root, monkeypatch, view="items", task=ARC, which=which)
    table = table_with(app, "Prompt ends")
    assert list(table["Item"]) == [f"arc{each}" for each in ids]
    assert set(table["sparse"]) == {"wrong" if which == "only second" else "right"}


def test_an_item_shows_its_prompt_choices_and_answers(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("tasks", root, monkeypatch, view="items", task=ARC, page="2", item="1")
    assert app.code[0].value.startswith("Question 21:")
    choices = table_with(app, "Chosen by")
    assert list(choices["Chosen by"]) == ["dense", "sparse"]
    assert list(choices["Right"]) == ["right", ""]
    assert choices["sparse: nats"][1] == "-23.00"
    app = opened("tasks", root, monkeypatch, view="items", task='triviaqa~0~{"seed": 0}')
    assert [each.value for each in app.code][1] == "this\nthat"
    assert app.code[2].value.startswith("sparse-s0 says")


def test_energy_is_converted_as_chosen_and_projections_say_so(root: Path, monkeypatch: pytest.MonkeyPatch):
    plain = table_with(opened("energy", root, monkeypatch), "sparse").set_index("")
    app = opened("energy", root, monkeypatch, pue="2", region="FR", price="1")
    text, table = shown(app), table_with(app, "sparse").set_index("")
    assert plain.loc["At the machine, all runs", "sparse"] == plain.loc["At the site, all runs", "sparse"]
    assert table.loc["At the site, all runs", "sparse"].startswith("1.26 Wh")
    assert table.loc["Emissions, CO2e", "sparse"].startswith("70.6 mg"), "1.26 Wh at 56 kg/MWh"
    assert table.loc["Price, money", "sparse"].startswith("0.00126")
    assert "estimated by power model, between 1134 J and 4536 J" in text
    assert "A projection, not a measurement" in text
    assert any("GLaM, 600 B tokens" in each.value for each in app.dataframe)


def test_data_shows_reports_and_texts_as_they_are(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("data", root, monkeypatch)
    assert "20,500 tokens of 91 documents" in shown(app)
    assert table_with(app, "Source").set_index("Source").loc["docs", "Kept"] == 40
    assert table_with(app, "Touched")["Share"][0] == "4.5 %"
    assert app.code[0].value.startswith("<script>")
    for side in ("training", "held out"):
        app = opened("data", root, monkeypatch, samples=side)
        assert len(app.code) == 6


def test_runs_are_listed_in_every_state_and_a_broken_one_harms_none(own_store: Store, monkeypatch: pytest.MonkeyPatch):
    app = opened("runs", own_store.root, monkeypatch)
    table = table_with(app, "State")
    assert sorted(table["State"]) == ["broken", *["complete"] * 4, "interrupted", "running"]
    assert "cannot be read: no JSON at line 1" in shown(app)
    assert HOSTILE_NAME not in shown(app)


def test_runs_are_found_by_state_arm_study_and_text(root: Path, monkeypatch: pytest.MonkeyPatch):
    def names(**address: str) -> list[str]:
        return sorted(table_with(opened("runs", root, monkeypatch, **address), "State")["Run"])

    assert names(state="complete", arm="sparse") == ["sparse-s0", "sparse-s1"]
    assert names(of=VERDICT) == ["dense-s0", "dense-s1", "sparse-s0", "sparse-s1"]
    assert names(search="SCRIPT") == ["script-alert-1-script"]
    assert names(search=DENSE) == ["dense-s0"]


def test_two_runs_show_what_sets_them_apart_and_no_verdict(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("runs", root, monkeypatch, view="pair", one=SPARSE, other=DENSE)
    differences = table_with(app, "Field").set_index("Field")
    assert (differences.loc["model.num_experts", "sparse"], differences.loc["model.num_experts", "dense"]) == ("8", "1")
    assert "no verdict" in shown(app)
    assert len(app.get("vega_lite_chart")) == 2


def test_no_stack_is_no_error(root: Path, monkeypatch: pytest.MonkeyPatch):
    app = opened("runs", root, monkeypatch, view="elsewhere")
    assert app.code[0].value == "glam up"
    assert not app.error


def test_a_verdict_that_cannot_be_read_is_an_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(tmp_path).claim("verdicts", "old", "b" * 16) as folder:
        folder.write_text("verdict.json", '{"schema_version": 999}')
        folder.commit(config={}, revision=1)
    for page in ("verdict", "energy"):
        assert "verdict.json cannot be read" in shown(opened(page, tmp_path, monkeypatch))


def test_the_whole_app_opens(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GLAM_STORE", str(root))
    app = AppTest.from_file(str(APP), default_timeout=30).run()
    assert not app.exception
    assert app.title[0].value == "Sparse against dense"
    assert not [text.value for text in app.markdown if "Titles by address" in text.value], "comments are not shown"


def test_likely_runs_are_those_of_the_latest_study(root: Path):
    runs = list_runs(root)
    finished = [run for run in runs if run.state != "running"]
    assert set(likely(root, finished, 6)) == {SPARSE, DENSE, SPARSE[:-1] + "1", DENSE[:-1] + "1"}
    pair_of_runs = likely_pair(root, runs)
    assert pair_of_runs is not None
    assert [run.name for run in pair_of_runs] == ["sparse-s0", "dense-s0"]


def test_two_runs_of_one_arm_get_two_names():
    one, other = (RunEntry("sparse-s0", mark * 16, "running") for mark in "ab")
    assert pair.names_of((one, RunEntry("dense-s0", "c" * 16, "running"))) == ["sparse", "dense"]
    assert pair.names_of((one, other)) == ["sparse-s0 · aaaaaaaa", "sparse-s0 · bbbbbbbb"]
