"""`glam benchmarks` against a hub on loopback that holds the fixtures of every task, as the real one lays files out."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flows import cli
from glam.config import EvalConfig
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.names import asks_files
from glam.evaluation.questions import from_files
from glam.evaluation.task import AskingTask, HeldoutLikelihood, Item
from glam.evaluation.tasks import TASKS
from tests.data.hub_on_loopback import COMMIT, hub, parquet

FIXTURES = Path(__file__).parents[1] / "evaluation" / "benchmarks"
BENCHMARKS: dict[str, AskingTask] = {
    name: task for name, task in TASKS.items() if not isinstance(task, HeldoutLikelihood) and asks_files(name)
}
BY_REQUEST = "storycloze"
IN_FOLDERS = "winograd"
"""Its data set has no card, only folders, as on the branch that the hub converts to Parquet itself."""
SCRIPT = "piqa"
FETCHED = [name for name in BENCHMARKS if name not in (BY_REQUEST, SCRIPT)]


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def source(name: str) -> Benchmark:
    found = BENCHMARKS[name].source
    assert isinstance(found, Benchmark)
    return found


def splits(name: str) -> dict[str, str]:
    found = source(name)
    return {"eval": found.split} | ({} if found.pool is None else {"train": found.pool})


def data_sets() -> dict[str, dict[str, bytes]]:
    """Every fixture as Parquet in its data set, under the names that cards give subsets and splits."""
    files: dict[str, dict[str, bytes]] = defaultdict(dict)
    cards: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in BENCHMARKS:
        found = source(name)
        for file, split in splits(name).items():
            subset = found.subset or "default"
            rows = pa.Table.from_pylist(lines(FIXTURES / name / f"{file}.jsonl"))
            content = parquet({column: rows[column] for column in rows.column_names})
            files[found.hub][f"{subset}/{split}/0000.parquet"] = content
            cards[found.hub][subset].append(f"  - {{split: {split}, path: {subset}/{split}/*.parquet}}")
    for hub_id, subsets in cards.items():
        if hub_id != source(IN_FOLDERS).hub:
            configs = "\n".join(
                f"- config_name: {name}\n  data_files:\n" + "\n".join(each) for name, each in subsets.items()
            )
            files[hub_id]["README.md"] = f"---\nconfigs:\n{configs}\n---\n".encode()
    script = source(SCRIPT).hub
    files[script] = {f"{script.partition('/')[2]}.py": b"raise SystemExit('was run')"}
    return files


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Glam = Callable[..., Done]


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glam]:
    """The command in a process that knows no other hub."""
    home = str(tmp_path_factory.mktemp("hf"))
    with hub(data_sets()) as address:
        yield lambda *arguments: run({"HF_ENDPOINT": address, "HF_HOME": home}, *arguments)


def run(environment: dict[str, str], *arguments: str | Path) -> Done:
    command = [sys.executable, "-c", "from flows.cli import main; main()", "benchmarks", *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def pins(online: Glam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pins") / "pins.json"
    done = online("pin", file)
    assert (done.code, done.err) == (0, "")
    return file


@pytest.fixture(scope="module")
def fetched(online: Glam, pins: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    folder = tmp_path_factory.mktemp("benchmarks") / "new"
    return folder, online("fetch", folder, "--pins", pins, "--json")


@pytest.fixture
def glam(capsys: pytest.CaptureFixture[str]) -> Glam:
    """The command in this process, where nothing is online."""

    def call(*arguments: str | Path) -> Done:
        code = cli._run(["benchmarks", *map(str, arguments)])
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return call


def questions(name: str, folder: Path) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """What a model will see and what counts as right; ids are made of fields that Parquet adds to."""

    def seen(items: tuple[Item, ...]) -> list[tuple[str, ...]]:
        return [(each.prompt, *each.choices, *each.contexts, *map(str, each.right), *each.references) for each in items]

    found = from_files(BENCHMARKS[name], folder, EvalConfig(max_examples=None))
    return seen(found.asked), seen(found.pool)


def test_every_task_is_pinned_in_order(pins: Path) -> None:
    written = json.loads(pins.read_text())
    assert list(written) == sorted(BENCHMARKS)
    assert written["cb"] == {"hub": "aps/super_glue", "revision": COMMIT, "subset": "cb"}


@pytest.mark.parametrize("name", FETCHED)
def test_fetched_files_ask_what_the_fixtures_ask(name: str, fetched: tuple[Path, Done]) -> None:
    folder, _ = fetched
    assert questions(name, folder) == questions(name, FIXTURES)
    found = source(name)
    facts = {"hub": found.hub, "subset": found.subset, "revision": COMMIT, "splits": splits(name)}
    assert json.loads((folder / name / "source.json").read_text()) == facts
    assert sorted(each.stem for each in (folder / name).glob("*.jsonl")) == sorted(splits(name))
    assert {each.name for each in (folder / name).iterdir()} <= {"eval.jsonl", "train.jsonl", "source.json"}


def test_tasks_that_fail_say_why_and_stop_no_other(fetched: tuple[Path, Done]) -> None:
    folder, done = fetched
    assert done.code == cli.FAILED
    problems = {each["task"]: each["problem"] for each in json.loads(done.out)}
    assert {name for name, problem in problems.items() if problem} == {BY_REQUEST, SCRIPT}
    assert "form" in problems[BY_REQUEST]
    assert f"{folder / BY_REQUEST / 'eval.jsonl'}" in problems[BY_REQUEST]
    assert "input_sentence_1" in problems[BY_REQUEST]
    assert "--revision refs/convert/parquet" in problems[SCRIPT]
    assert "was run" not in done.err
    assert not list(folder.glob(f"{SCRIPT}/*"))


def test_what_is_there_is_left_alone_and_stories_put_there_count(
    online: Glam, pins: Path, fetched: tuple[Path, Done]
) -> None:
    folder, _ = fetched
    mark = (folder / "cb" / "eval.jsonl").stat().st_mtime_ns
    (folder / BY_REQUEST).mkdir(exist_ok=True)
    for file in (FIXTURES / BY_REQUEST).iterdir():
        (folder / BY_REQUEST / file.name).write_bytes(file.read_bytes())
    done = online("fetch", folder, "--pins", pins, "--tasks", f"cb,{BY_REQUEST}", "--json")
    assert done.code == 0, done.err
    assert [each["questions"] for each in json.loads(done.out)] == [
        len(questions(n, FIXTURES)[0]) for n in ("cb", BY_REQUEST)
    ]
    assert (folder / "cb" / "eval.jsonl").stat().st_mtime_ns == mark


def test_a_later_commit_that_is_not_there_leaves_the_files_of_the_first(
    online: Glam, pins: Path, fetched: tuple[Path, Done], tmp_path: Path
) -> None:
    folder, _ = fetched
    other = tmp_path / "pins.json"
    other.write_text(pins.read_text().replace(COMMIT, "f" * 40))
    before = {file.name: file.read_bytes() for file in (folder / "rte").iterdir()}
    done = online("fetch", folder, "--pins", other, "--tasks", "rte")
    assert done.code == cli.FAILED
    assert "f" * 40 in done.out
    assert {file.name: file.read_bytes() for file in (folder / "rte").iterdir()} == before


def test_pins_of_other_tasks_stay(online: Glam, tmp_path: Path) -> None:
    file = tmp_path / "pins.json"
    assert online("pin", file, "--tasks", "rte").code == 0
    assert online("pin", file, "--tasks", "boolq,cb").code == 0
    assert list(json.loads(file.read_text())) == ["boolq", "cb", "rte"]
    unknown = online("pin", file, "--tasks", "cb", "--revision", "nowhere")
    assert unknown.code == cli.FAILED
    assert "'nowhere'" in unknown.err
    assert list(json.loads(file.read_text())) == ["boolq", "cb", "rte"]


def test_without_a_network_nothing_is_written(pins: Path, tmp_path: Path) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    file = tmp_path / "pins.json"
    done = run(nowhere, "pin", file)
    assert done.code == cli.FAILED
    assert done.err.startswith("glam: the hub does not answer")
    assert not file.exists()
    done = run(nowhere, "fetch", tmp_path / "new", "--pins", pins, "--tasks", "cb,rte")
    assert done.code == cli.FAILED
    assert done.out.count("the hub does not answer") == 2
    assert not list(tmp_path.glob("new/*/*"))


def test_every_task_is_listed_with_what_is_known_of_it(glam: Glam) -> None:
    listed = {each["task"]: each for each in json.loads(glam("list", "--json").out)}
    assert list(listed) == list(BENCHMARKS)
    assert listed["squad_v2"] == {
        "task": "squad_v2",
        "category": "in-context reading comprehension",
        "kind": "written",
        "metric": "f1",
        "split": "validation",
        "few_shot": 10,
        "questions": None,
        "demonstrations": None,
        "problem": None,
    }
    assert "natural language inference" in glam("list").out


def test_one_bad_task_does_not_hide_the_others(glam: Glam, tmp_path: Path) -> None:
    for name in ("cb", "rte"):
        (tmp_path / name).mkdir()
        for file in (FIXTURES / name).iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    (tmp_path / "cb" / "train.jsonl").write_text('{"premise": 1}\n')
    done = glam("list", "--data", tmp_path, "--json")
    listed = {each["task"]: each for each in json.loads(done.out)}
    assert (done.code, listed["rte"]["problem"]) == (0, None)
    assert [listed["rte"][kind] for kind in ("questions", "demonstrations")] == [*map(len, questions("rte", FIXTURES))]
    assert "cb: " in listed["cb"]["problem"]
    assert "train.jsonl row 1: field 'premise' is 1, no str" in listed["cb"]["problem"]
    assert "no validation.jsonl or eval.jsonl" in listed["boolq"]["problem"]
    assert listed["cb"]["problem"] in glam("list", "--data", tmp_path).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pin", "p.json", "--tasks", "cb,heldout"), "no benchmark 'heldout'; known: anli_r1, "),
        (
            ("fetch", "d", "--pins", "nothing.json"),
            "no file nothing.json; `glam benchmarks pin nothing.json` writes it",
        ),
        (
            ("fetch", "d", "--pins", "bad.json"),
            "bad.json holds no pins as `glam benchmarks pin` writes them: cb.revision",
        ),
    ],
)
def test_wrong_use_says_what_is_right(
    glam: Glam, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text('{"cb": {"hub": "owner/name", "subset": null, "revision": "main"}}')
    done = glam(*arguments)
    assert done.code == cli.WRONG_USE
    assert message in done.err
