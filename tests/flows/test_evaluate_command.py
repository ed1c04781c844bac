"""`glam evaluate` of one model and of two: what it prints, what it keeps, and how it fails task by task."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows import cli
from flows.commands import evaluate_recipe as recipes
from flows.refusals import NotAllScored
from glam.config import EvalConfig
from glam.lineage import study_stages
from glam.recipes import smoke
from glam.store import Store
from glam.study import override
from tests.workers.checkpoints import BENCHMARKS, tiny_checkpoint
from workers.cluster import cluster

Glam = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", autouse=True)
def running() -> Iterator[None]:
    with cluster(cpus_needed=2):
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return str(tiny_checkpoint(folder / "one")), str(tiny_checkpoint(folder / "two", seed=1))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixtures; a passage of its own for every question of squad_v2, so that there is something to resample."""
    folder = shutil.copytree(BENCHMARKS, tmp_path_factory.mktemp("data") / "benchmarks")
    file = folder / "squad_v2" / "eval.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    apart = [{**row, "context": f"{row['context']} {place}"} for place, row in enumerate(rows)]
    file.write_text("".join(json.dumps(row) + "\n" for row in apart), "utf-8")
    return folder


@pytest.fixture
def glam(capsys: pytest.CaptureFixture[str], kept: Store, data: Path) -> Glam:
    def run(*arguments: str) -> tuple[int, str, str]:
        given = ["--data", str(data), "--store", str(kept.root)]
        code = cli._run(["evaluate", *given, *([] if "--harness" in arguments else ["--actors", "2"]), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_scores_are_one_document_and_a_failed_task_has_no_number(
    glam: Glam, models: tuple[str, str], data: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(data, tmp_path / "benchmarks")
    (data / "piqa" / "eval.jsonl").unlink()
    code, out, err = glam(models[0], "--tasks", "copa,piqa,squad_v2", "--shots", "0,1", "--json", "--data", str(data))
    printed = json.loads(out)
    assert code == 1, err
    scored = [(row["task"], row["num_shots"]) for row in printed["results"] if row["failed"] is None]
    assert scored == [("copa", 0), ("copa", 1), ("squad_v2", 0), ("squad_v2", 1)]
    (failed,) = [row for row in printed["results"] if row["failed"] is not None]
    assert failed["task"] == "piqa"
    assert "no validation.jsonl or eval.jsonl" in failed["failed"]
    assert "value" not in failed
    squad = printed["results"][2]
    assert squad["counted"] == ["exact_match"]
    assert set(squad["intervals"]) == {"f1", "exact_match"}
    assert squad["intervals"]["exact_match"]["low"] <= squad["others"]["exact_match"]
    assert set(printed["averages"]) == {"0", "1"}
    assert printed["averages"]["0"]["overall"]["value"] is None


def test_the_papers_numbers_of_shots_are_one_average(glam: Glam, models: tuple[str, str]) -> None:
    code, out, err = glam(models[0], "--tasks", "copa,triviaqa", "--shots", "1,paper", "--json")
    assert code == 0, err
    printed = json.loads(out)
    assert [(row["task"], row["num_shots"]) for row in printed["results"]] == [
        ("copa", 1),
        ("copa", 16),
        ("triviaqa", 1),
    ]
    asked = EvalConfig(shots=(1, "paper")).shots
    assert set(printed["averages"]) == {str(shots) for shots in asked}
    missing = {entry[0] for entry in printed["averages"]["paper"]["overall"]["missing"]}
    assert "copa" not in missing
    assert "triviaqa" not in missing


def test_two_models_are_compared_item_by_item(glam: Glam, models: tuple[str, str]) -> None:
    one, two = models
    arguments = (one, "--against", two, "--tasks", "copa,squad_v2", "--shots", "1")
    code, out, err = glam(*arguments, "--json")
    assert code == 0, err
    printed = json.loads(out)
    found = printed["comparison"]
    assert (found["first"], found["second"], found["loss"]) == ("one", "two", None)
    assert [(cell["task"], cell["metric"]) for cell in found["tasks"]] == [
        ("copa", "accuracy"),
        ("squad_v2", "f1"),
        ("squad_v2", "exact_match"),
    ]
    for cell in found["tasks"]:
        own = [
            next(row for row in printed["models"][name]["results"] if row["task"] == cell["task"])
            for name in ("one", "two")
        ]
        values = [row["others"][cell["metric"]] if cell["counted_beside"] else row["value"] for row in own]
        assert [cell["first"], cell["second"]] == values
        assert cell["difference"]["value"] == pytest.approx(values[0] - values[1])
        assert cell["p_value_adjusted"] >= cell["p_value"]
    code, out, _ = glam(*arguments)
    assert code == 0
    assert "one minus two" in out
    assert "squad_v2 exact_match" in out
    assert "Holm's p" in out


def test_held_out_text_of_other_runs_is_no_pair(glam: Glam, models: tuple[str, str]) -> None:
    code, out, _ = glam(*models[:1], "--against", models[1], "--tasks", "heldout,copa", "--shots", "1", "--json")
    printed = json.loads(out)
    assert code == 1
    assert printed["comparison"]["loss"] is None
    assert [cell["task"] for cell in printed["comparison"]["tasks"]] == ["copa"]


def test_a_recipe_is_asked_its_other_tasks_where_one_has_no_file(
    glam: Glam, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = shutil.copytree(data, tmp_path / "benchmarks")
    (data / "piqa" / "eval.jsonl").unlink()
    study = override(smoke(), ["eval.tasks=[copa]", f"eval.benchmarks={data}"])
    (score, *_) = study_stages(study).scores
    asked: list[list[str]] = []

    def flow(_store: Store, _recipe: str, changes: list[str], *_: object) -> None:
        asked.append(changes)
        raise NotAllScored(1, {score.stage.reference: "the actor died"})

    monkeypatch.setattr(recipes, "run_flow", flow)
    arguments = ("smoke", "--tasks", "copa,piqa", "--shots", "0,1", "--limit", "3", "--data", str(data))
    code, out, err = glam(*arguments, "--json")
    assert code == 1, err
    assert asked[0][-1] == "eval.tasks=[copa]"
    runs = json.loads(out)["runs"]
    assert [each["checkpoint"] for each in runs] == ["sparse-s0", "dense-s0"]
    for each in runs:
        assert {row["task"] for row in each["results"]} == {"copa", "piqa"}
        assert "no validation.jsonl or eval.jsonl" in each["results"][0]["failed"]
    code, out, _ = glam(*arguments)
    assert code == 1
    assert out.count("FAILED") == 6
    (data / "copa" / "eval.jsonl").unlink()
    code, _, err = glam(*arguments)
    assert (code, len(asked)) == (2, 2)
    assert "no validation.jsonl or eval.jsonl" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smoke", "--against", "other"], "`glam compare smoke`"),
        (["ONE", "--against", "ONE"], "the same model"),
        (["ONE", "--harness", "piqa", "--against", "TWO"], "leave away --dry-run, --actors and --against"),
        (["ONE", "--harness", "piqa", "--shots", "paper"], "say a number of shots"),
        (["ONE", "--shots", "few"], "is no list such as 0,1,5 or 0,1,paper"),
        (["ONE", "--tasks", "last_word", "--shots", "paper"], "the paper has no task 'last_word'"),
    ],
    ids=str,
)
def test_wrong_use_is_exit_code_2(glam: Glam, models: tuple[str, str], arguments: list[str], message: str) -> None:
    given = [{"ONE": models[0], "TWO": models[1]}.get(each, each) for each in arguments]
    code, out, err = glam(*given)
    assert (code, out) == (2, "")
    assert message in err
