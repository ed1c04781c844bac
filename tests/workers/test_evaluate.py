"""Evaluation on Ray: pieces, killed actors, killed jobs, tasks that fail, and results that are known already."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace as with_
from pathlib import Path
from typing import Any

import pytest
import ray

from glam.analysis.evidence import ITEMS, RESULT
from glam.config import EvalConfig
from glam.energy.meter import open_meter
from glam.evaluation.tasks import TASKS as ALL_TASKS
from glam.lineage import Checkpoint, ScoreStage, score_stages
from glam.records import EnergyCovers, EnergyMethod, EnergyReading, EvalResult, ItemScore, Scored
from glam.store import Store
from glam.store.identity import file_sha256
from glam.store.tables import read_table
from tests.workers.checkpoints import BENCHMARKS, tiny_checkpoint
from workers import evaluate as evaluating
from workers.cluster import cluster
from workers.evaluate import Evaluator, evaluate

TASKS = ("piqa", "copa", "triviaqa")


@pytest.fixture(scope="module", autouse=True)
def running() -> Iterator[None]:
    with cluster(cpus_needed=2):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


def named(folder: Path) -> Checkpoint:
    names = ("model.safetensors", "model.json", "tokenizer.json")
    return Checkpoint("tiny", str(folder), *(file_sha256(folder / name) for name in names), heldout=None)


def stages(folder: Path, data: Path = BENCHMARKS, tasks: tuple[str, ...] = TASKS, shots=(1,)) -> list[ScoreStage]:
    judged = EvalConfig(tasks=tasks, shots=shots, max_examples=None, benchmarks=str(data))
    return list(score_stages(named(folder), judged))


def made(scores: list[ScoreStage], store: Store) -> dict[str, bytes]:
    """Records of the items, by task."""
    found = {}
    for score in scores:
        complete = score.stage.find(store)
        assert complete is not None, score.task
        complete.verify()
        found[score.task] = (complete.path / ITEMS).read_bytes()
    return found


@pytest.fixture(scope="module")
def straight(folder, tmp_path_factory) -> Store:
    """Everything was scored in it, by two actors."""
    store = Store(tmp_path_factory.mktemp("straight"))
    seen: list[str] = []
    assert evaluate(stages(folder), store, num_actors=2, on_result=lambda score, _: seen.append(score.task)) == []
    assert sorted(seen) == sorted(TASKS)
    return store


@pytest.fixture(scope="module")
def one_by_one(folder, tmp_path_factory) -> Store:
    """Everything was scored in it, in pieces of one item."""
    store = Store(tmp_path_factory.mktemp("one_by_one"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evaluating, "ITEMS_OF_PIECE", 1)
        assert evaluate(stages(folder), store, num_actors=1, on_result=lambda *_: None) == []
    return store


def items_in(store: Store, folder: Path) -> dict[str, list[ItemScore]]:
    folders = {score.task: store.open("scores", score.stage.reference.fingerprint) for score in stages(folder)}
    return {task: read_table(found, ITEMS, ItemScore) for task, found in folders.items()}


def test_records_say_what_was_asked_and_answered(straight: Store, folder) -> None:
    for score in stages(folder):
        complete = straight.open("scores", score.stage.reference.fingerprint)
        result = EvalResult.model_validate(complete.read_json(RESULT))
        items = items_in(straight, folder)[score.task]
        assert result.num_examples == len(items) == 3
        assert result.low is not None
        assert all(item.prompt and item.prompt_sha256 and len(item.demonstrations) == 1 for item in items)
        if score.task == "triviaqa":
            assert all(item.generation is not None and item.references for item in items)
        else:
            assert all(len(item.log_likelihoods) == len(item.choices) == 2 for item in items)
        layers = json.loads((complete.path / "experts.json").read_text())["load_LE"]
        assert len(layers) == 1
        assert sum(layers[0]) > 0


def results_in(store: Store, folder: Path) -> dict[str, EvalResult]:
    folders = {score.task: store.open("scores", score.stage.reference.fingerprint) for score in stages(folder)}
    return {task: EvalResult.model_validate(found.read_json(RESULT)) for task, found in folders.items()}


def test_every_result_says_what_it_used_and_how_that_is_known(straight: Store, folder) -> None:
    for result in results_in(straight, folder).values():
        assert result.energy_method == open_meter().method
        assert result.energy_joules is not None
        assert 0 < (result.energy_low_joules or 0) <= result.energy_joules <= (result.energy_high_joules or 0)


class Node:
    """A meter of this node that counts a joule with every reading."""

    method: EnergyMethod = "rapl"
    per_process = False
    covers: EnergyCovers | None = "packages and memory"

    def __init__(self) -> None:
        self.joules = -1.0

    def read(self) -> EnergyReading:
        self.joules += 1
        ends = {"low_joules": self.joules, "high_joules": self.joules}
        return EnergyReading(method="rapl", at_seconds=self.joules, energy_joules=self.joules, **ends)


@pytest.mark.parametrize("alone", [True, False])
def test_the_nodes_meter_is_read_here_and_says_nothing_of_other_nodes(
    straight: Store, folder, store: Store, monkeypatch, alone: bool
) -> None:
    node = Node()
    monkeypatch.setattr(evaluating, "open_meter", lambda: node)
    monkeypatch.setattr(evaluating, "on_one_node", lambda: alone)
    assert evaluate(stages(folder), store, num_actors=2, on_result=lambda *_: None) == []
    found = results_in(store, folder)
    used = [result.energy_joules for result in found.values()]
    if alone:
        # One reading opens the sharing and one begins the first piece; of the rest nothing is lost or doubled.
        assert sum(joules or 0.0 for joules in used) == pytest.approx(node.joules - 1)
        assert {result.energy_method for result in found.values()} == {"rapl"}
    else:
        assert used == [None] * len(TASKS)
    assert made(stages(folder), store) == made(stages(folder), straight)


def test_the_size_of_pieces_changes_no_answer(straight: Store, one_by_one: Store, folder) -> None:
    first, second = items_in(straight, folder), items_in(one_by_one, folder)
    for one, two in ((one, two) for task in TASKS for one, two in zip(first[task], second[task], strict=True)):
        assert one.log_likelihoods == pytest.approx(two.log_likelihoods, abs=1e-4)
        assert one.model_dump(include={"item_id", "value", "chosen", "generation"}) == two.model_dump(
            include={"item_id", "value", "chosen", "generation"}
        )


def test_a_killed_actor_costs_its_piece(straight, folder, store: Store, tmp_path, monkeypatch) -> None:
    mark = tmp_path / "killed"

    class Dying(Evaluator):
        def score(self, piece) -> Scored:
            import os
            import signal

            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().score(piece)

    monkeypatch.setattr(evaluating, "Evaluator", Dying)
    assert evaluate(stages(folder), store, num_actors=1, on_result=lambda *_: None) == []
    assert mark.exists()
    assert made(stages(folder), store) == made(stages(folder), straight)


def test_a_job_that_was_cut_off_goes_on_with_the_next_piece(
    one_by_one: Store, folder, store: Store, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(evaluating, "ITEMS_OF_PIECE", 1)
    counted = tmp_path / "scored"

    class Counting(Evaluator):
        def score(self, piece) -> Scored:
            counted.mkdir(exist_ok=True)
            (counted / f"{piece.score.task}-{piece.file}").touch()
            return super().score(piece)

    monkeypatch.setattr(evaluating, "Evaluator", Counting)

    class CutOff(Exception):
        pass

    waits = iter(range(5))

    def wait(*arguments, **options):
        if next(waits, None) is None:
            raise CutOff
        return original(*arguments, **options)

    original = evaluating.wait
    monkeypatch.setattr(evaluating, "wait", wait)
    with pytest.raises(CutOff):
        evaluate(stages(folder), store, num_actors=1, on_result=lambda *_: None)
    monkeypatch.setattr(evaluating, "wait", original)
    kept = {f"{file.parent.name.split('-')[1]}-{file.name}" for file in store.root.glob("scores/*/piece-*.json")}
    assert kept
    shutil.rmtree(counted)
    evaluate(stages(folder), store, num_actors=1, on_result=lambda *_: None)
    assert not kept & {file.name for file in counted.iterdir()}
    assert made(stages(folder), store) == made(stages(folder), one_by_one)
    assert not list(store.root.glob("scores/*/piece-*"))


def test_a_task_that_fails_loses_no_other(folder, store: Store) -> None:
    scores = stages(folder)
    broken = with_(scores[0], judged=EvalConfig(tasks=(scores[0].task,), benchmarks=None))
    (failure,) = evaluate([broken, *scores[1:]], store, num_actors=2, on_result=lambda *_: None)
    assert failure.score.task == scores[0].task
    assert "no folder of them is given" in failure.reason
    assert set(made(scores[1:], store)) == set(TASKS[1:])


def test_files_edited_after_the_start_fail_and_are_not_scored_under_the_old_name(folder, store, tmp_path) -> None:
    data = tmp_path / "data"
    shutil.copytree(BENCHMARKS, data)
    scores = stages(folder, data, tasks=("piqa", "copa"))
    file = data / "copa" / "train.jsonl"
    file.write_text("\n".join(reversed(file.read_text().splitlines())) + "\n")
    failures = evaluate(scores, store, num_actors=1, on_result=lambda *_: None)
    assert [(failure.score.task, "were changed" in failure.reason) for failure in failures] == [("copa", True)]
    assert [score.task for score in scores if score.stage.find(store)] == ["piqa"]


def test_weights_that_are_no_numbers_fail_and_are_never_zero(folder, store: Store, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    weights = load_file(broken / "model.safetensors")
    save_file({name: each * float("nan") for name, each in weights.items()}, broken / "model.safetensors")
    failures = evaluate(stages(broken), store, num_actors=2, on_result=lambda *_: None)
    assert {failure.score.task for failure in failures} == set(TASKS)
    assert all("training" in failure.reason for failure in failures)
    assert all(score.stage.find(store) is None for score in stages(broken))


def test_an_actor_that_is_dead_for_good_is_replaced(straight: Store, folder, store: Store, monkeypatch) -> None:
    class Deadly(Evaluator):
        def score(self, piece) -> Scored:
            import os
            import signal

            if piece.score.task == "copa":
                os.kill(os.getpid(), signal.SIGKILL)
            return super().score(piece)

    monkeypatch.setattr(evaluating, "Evaluator", Deadly)
    monkeypatch.setattr(evaluating, "MAX_RESTARTS", 0)
    (failure,) = evaluate(stages(folder), store, num_actors=1, on_result=lambda *_: None)
    assert failure.score.task == "copa"
    others = [score for score in stages(folder) if score.task != "copa"]
    assert made(others, store) == made(others, straight)


def test_what_is_known_asks_no_ray(straight: Store, folder, monkeypatch) -> None:
    monkeypatch.setattr(ray, "remote", None)
    assert evaluate(stages(folder), straight, num_actors=2, on_result=lambda *_: None) == []


def test_the_wording_is_in_the_key_only_where_it_differs(folder) -> None:
    keys = []
    for prompts in ("paper", "harness"):
        asked = {"tasks": ("piqa", "wic"), "benchmarks": str(BENCHMARKS), "prompts": prompts}
        judged = EvalConfig.model_validate(asked)
        keys.append([score.stage.reference.fingerprint for score in score_stages(named(folder), judged)])
    same = [one == two for one, two in zip(*keys, strict=True)]
    assert same == [False] * 3 + [True] * 3  # the harness's wording of WiC is not ours to give


@pytest.mark.parametrize(
    ("task", "change"),
    [
        ("copa", {"normalise": "tokens"}),
        ("piqa", {"also": {}}),
        ("triviaqa", {"max_new_tokens": 9}),
        ("triviaqa", {"stop": ("x",)}),
    ],
)
def test_how_an_answer_is_scored_is_in_the_key(
    folder, task: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys() -> list[str]:
        judged = EvalConfig(tasks=(task, "wic"), shots=(0,), benchmarks=str(BENCHMARKS))
        return [score.stage.reference.fingerprint for score in score_stages(named(folder), judged)]

    before = keys()
    monkeypatch.setitem(ALL_TASKS, task, with_(ALL_TASKS[task], **change))
    assert [one == two for one, two in zip(before, keys(), strict=True)] == [False, True]


def test_only_shots_read_the_examples_to_show(folder, tmp_path) -> None:
    changed = tmp_path / "data"
    shutil.copytree(BENCHMARKS, changed)
    with (changed / "piqa" / "train.jsonl").open("a") as more:
        more.write(json.dumps({"goal": "Dry a cup.", "sol1": "Use a towel.", "sol2": "Use a tap.", "label": 0}) + "\n")
    keys = [
        [score.stage.reference.fingerprint for score in stages(folder, data, tasks=("piqa",), shots=(0, 1))]
        for data in (BENCHMARKS, changed)
    ]
    assert [one == two for one, two in zip(*keys, strict=True)] == [True, False]


def test_a_key_is_of_weights_configuration_vocabulary_and_questions(folder, tmp_path) -> None:
    before = [score.stage.reference.fingerprint for score in stages(folder)]
    shorter = tmp_path / "shorter"
    shutil.copytree(folder, shorter)
    (shorter / "model.json").write_text((folder / "model.json").read_text().replace("8192", "4096"))
    assert not set(before) & {score.stage.reference.fingerprint for score in stages(shorter)}
    other = tiny_checkpoint(tmp_path / "other", seed=1)
    assert not set(before) & {score.stage.reference.fingerprint for score in stages(other)}
    changed = tmp_path / "data"
    shutil.copytree(BENCHMARKS, changed)
    assert [score.stage.reference.fingerprint for score in stages(folder, changed)] == before
    rows = [json.loads(line) for line in (changed / "piqa" / "eval.jsonl").open()]
    rows[0]["goal"] += " now"
    (changed / "piqa" / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = [score.stage.reference.fingerprint for score in stages(folder, changed)]
    assert [old == new for old, new in zip(before, again, strict=True)] == [False, True, True]
