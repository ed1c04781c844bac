"""`glam inference` and `glam published`: what they show of a store, and how they refuse."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import cli
from glam.config import ModelConfig, TokenizerConfig
from glam.data.tokenizer import train_tokenizer
from glam.inference import RESULT
from glam.lineage import study_stages
from glam.model.saved import save_model
from glam.model.transformer import Transformer
from glam.recipes import smoke
from glam.records import EvalResult, RunSummary
from glam.store import Folder, Store
from tests.summaries import run_summary
from workers import inference

pytestmark = pytest.mark.usefixtures("one_thread")

Glam = Callable[..., tuple[int, str, str]]
ASKED = ("--batch", "3,1", "--prompt-tokens", "5", "--new-tokens", "4", "--threads", "1")


@pytest.fixture
def glam(capsys: pytest.CaptureFixture[str], store: Store) -> Glam:
    """Runs a command in this process, on a store of its own; gives exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli._run([*arguments, "--store", str(store.root)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def put_runs(store: Store, *arms: str) -> dict[str, Folder]:
    """Runs of `smoke` that nobody trained."""
    tokenizer, _ = train_tokenizer(["def add(a, b): return a + b"], TokenizerConfig(kind="bpe", vocab_size=512))
    folders = {}
    for run in study_stages(smoke()).runs:
        if run.arm in arms:
            with store.claim(**run.stage.reference.model_dump()) as folder:
                put_model(folder.path, run.experiment.model)
                (folder.path / "tokenizer.json").write_text(tokenizer.to_json(), "utf-8")
                folder.write_text("summary.json", summary(run.arm, run.stage.reference.fingerprint).model_dump_json())
                run.stage.commit(folder)
            folders[run.arm] = folder
    return folders


def put_model(folder: Path, config: ModelConfig) -> None:
    model = Transformer(config)
    model.initialize(0)
    save_model(folder, config, model.state_dict())


def summary(arm: str, mark: str) -> RunSummary:
    joules = 7200.0 if arm == "sparse" else 3600.0
    return run_summary(arm, 0, mark, flops_per_token=3e6, tokens=1000, energy_joules=joules, energy_method="rapl")


@pytest.mark.ray
def test_arms_are_measured_once_compared_and_shown_again(
    glam: Glam, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "ROUNDS", 2)
    monkeypatch.setattr(inference, "ROUND_SECONDS", 0.0)
    put_runs(store, "sparse", "dense")
    code, out, err = glam("inference", "smoke", *ASKED, "--json")
    assert code == 0, err
    printed = json.loads(out)
    assert set(printed["results"]) == {"sparse", "dense"}
    (comparison,) = printed["comparisons"]
    assert (comparison["first"], comparison["second"]) == ("sparse", "dense")
    assert [batch["batch_size"] for batch in comparison["batches"]] == [1, 3]
    assert all(batch["outcomes"]["memory"] == "loses" for batch in comparison["batches"])
    assert all("sparse writes" in batch["sentence"] for batch in comparison["batches"])

    monkeypatch.setattr(inference, "measure", None)
    assert glam("inference", "smoke", *ASKED, "--json")[:2] == (0, out)
    code, table, err = glam("inference", "smoke", *ASKED)
    assert (code, err) == (0, "")
    assert "sparse over dense" in table
    assert comparison["batches"][0]["sentence"] in " ".join(table.split())

    # The same run by its name is the same measurement.
    code, out, _ = glam("inference", "sparse-s0", *ASKED, "--json")
    assert code == 0
    (one,) = json.loads(out)["results"].values()
    assert one == printed["results"]["sparse"]

    # On another machine the measurement of this one is shown, unless it is asked for anew.
    monkeypatch.setattr("glam.bench.machine.processor", lambda: "another one")
    code, out, err = glam("inference", "smoke", *ASKED, "--json")
    assert (code, json.loads(out)) == (0, printed)
    assert "measured on another machine; --again measures on this one" in err
    folders = {name: Path(each["folder"]) for name, each in printed["results"].items()}
    (folders["sparse"] / RESULT).write_text("{}")
    code, _, err = glam("inference", "smoke", *ASKED)
    assert code == 1
    assert f"{folders['sparse'] / RESULT} is no measurement of this version" in err


@pytest.mark.ray
def test_again_measures_anew_where_there_is_none_for_this_machine(
    glam: Glam, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "ROUNDS", 1)
    monkeypatch.setattr(inference, "ROUND_SECONDS", 0.0)
    put_runs(store, "dense")
    seen = []
    for processor in ("one", "two"):
        monkeypatch.setattr("glam.bench.machine.processor", lambda name=processor: name)
        code, out, err = glam("inference", "smoke", *ASKED, "--again", "--json")
        assert code == 0, err
        assert "not trained in" in err
        assert "sparse" in err
        seen.append(json.loads(out)["results"]["dense"])
    assert [each["machine"]["processor"] for each in seen] == ["one", "two"]
    assert seen[0]["folder"] != seen[1]["folder"]
    assert glam("inference", "smoke", *ASKED, "--again", "--json")[:2] == (0, out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smoke"], "no arm of 'smoke' is trained in"),
        (["nonsense"], "no run 'nonsense' in"),
        (["nonsense", "--set", "train.num_steps=3"], "--set is for recipes, and 'nonsense' is none"),
        (["smoke", "--batch", "one"], "--batch 'one' is no list of numbers such as 1,8,64"),
        (["smoke", "--batch", "0"], "greater than or equal to 1"),
        (["smoke", "--new-tokens", "1"], "greater than or equal to 2"),
    ],
    ids=str,
)
def test_wrong_use_of_inference_is_exit_code_2(glam: Glam, arguments: list[str], message: str) -> None:
    code, out, err = glam("inference", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_rows_that_are_too_short_are_refused_before_anything_starts(glam: Glam, store: Store) -> None:
    put_runs(store, "dense")
    code, _, err = glam("inference", "smoke", "--prompt-tokens", "64")
    assert code == 2
    assert "dense: prompt_tokens=64 and new_tokens=32 exceed its sequence_length=64" in err


def test_the_papers_table_needs_no_store(glam: Glam) -> None:
    code, out, err = glam("published")
    assert (code, err) == (0, "")
    assert "1.29 GWh" in out
    code, out, _ = glam("published", "--json")
    rows = {row["quantity"]: row for row in json.loads(out)["rows"]}
    assert rows["training energy"]["cells"]["GPT-3"]["how"] == "verified"
    assert len([name for name in rows if name.endswith("-shot")]) == 9


def put_score(
    store: Store, run: Folder, task: str, mark: str, value: float, num_examples: int = 10, shots: int = 0
) -> None:
    with store.claim("scores", f"x-{task}", mark * 16) as folder:
        result = EvalResult(task=task, num_shots=shots, metric="accuracy", value=value, num_examples=num_examples)
        folder.write_text("result.json", result.model_dump_json())
        folder.commit(config={"prompts": "paper"}, reads=[str(run.reference)], revision=1)


def test_beside_it_stands_what_the_arms_of_a_recipe_took(
    glam: Glam, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.commands import published
    from glam.evaluation.averages import ENTRIES, averages

    run = put_runs(store, "sparse", "dense")["sparse"]
    put_score(store, run, "piqa", "1", 0.5)
    put_score(store, run, "piqa", "2", 0.75, num_examples=20)
    put_score(store, run, "piqa", "3", 0.25, shots=32)
    put_score(store, run, "piqa", "4", 0.0, shots=40)
    some = {(entry.task, entry.metric): 0.5 for entry in ENTRIES if entry.task != "piqa"}
    monkeypatch.setattr(published, "averages", lambda scores: averages({**some, **scores}))
    code, out, err = glam("published", "smoke", "--grid", "DE", "--json")
    assert code == 0, err
    printed = json.loads(out)
    rows = {row["quantity"]: row for row in printed["rows"]}
    assert printed["runs"] == {"sparse": 1, "dense": 1}
    assert rows["training energy"]["cells"]["sparse"]["value"] == pytest.approx(7200 / 3.6e9)
    assert rows["training energy"]["cells"]["sparse"]["how"] == "rapl"
    assert rows["training energy"]["ratios"]["sparse / dense"] == 2
    assert rows["emissions of training"]["cells"]["sparse"]["value"] is not None
    assert rows["FLOPs per token at inference"]["cells"]["dense"]["value"] == pytest.approx(1e6)
    assert rows["NLU, zero-shot"]["cells"]["sparse"]["value"] == pytest.approx(100 * (20 * 0.5 + 0.75) / 21)
    assert rows["NLU, zero-shot"]["cells"]["dense"]["value"] is None
    few = rows["NLU, few-shot"]["cells"]["sparse"]
    assert few["value"] == pytest.approx(100 * (20 * 0.5 + 0.25) / 21)
    assert few["note"] == "the paper's number of shots for every task"

    code, out, _ = glam("published", "smoke")
    assert code == 0
    assert "sparse against dense" in out
    assert "2 Wh" in out
    assert "(processor energy" in out
    assert "energy at the machine" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "DE"], "--grid and --set are for what a study took; name a recipe"),
        (["smoke", "--grid", "nowhere"], "no grid intensity of region 'nowhere'; known: world"),
        (["smoke"], "no arm of 'smoke' is trained in"),
        (["nonsense"], "unknown recipe 'nonsense'"),
    ],
    ids=str,
)
def test_wrong_use_of_published_is_exit_code_2(glam: Glam, arguments: list[str], message: str) -> None:
    code, out, err = glam("published", *arguments)
    assert (code, out) == (2, "")
    assert message in err
