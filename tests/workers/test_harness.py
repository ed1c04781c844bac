"""Our wording and scoring is lm-evaluation-harness's, item by item; the model behind it is computed row by row."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")

from glam.config import EvalConfig
from glam.evaluation.names import find_task
from glam.evaluation.runner import examination
from glam.records import ItemScore
from tests.workers.checkpoints import BENCHMARKS, tiny_checkpoint
from workers.harness import LOCAL, HarnessModel, run_each, run_harness
from workers.judged import JudgedModel

CLEAR_MARGIN = 1e-3
ALIKE = [task for task in LOCAL if task != "race"]  # whose item is another one
REAL = Path(__file__).parents[3] / "shared" / "data" / "benchmarks"


class RowByRow(HarnessModel):
    """The harness's own way: every request alone, all logits, no sharing."""

    def _loglikelihood_tokens(self, requests, **_) -> list[tuple[float, bool]]:
        found = []
        for _, context, continuation in requests:
            ids = torch.tensor([[*context, *continuation]])
            with torch.inference_mode():
                logits = self._judged.model(ids[:, :-1]).logits_BSV[0, -len(continuation) :].log_softmax(-1)
            chosen = ids[0, -len(continuation) :]
            likelihood = logits.gather(1, chosen[:, None]).sum()
            found.append((float(likelihood), bool((logits.argmax(-1) == chosen).all())))
        return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> JudgedModel:
    os.environ.setdefault("HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("datasets")))
    return JudgedModel(tiny_checkpoint(tmp_path_factory.mktemp("checkpoint")))


def ours(judged: JudgedModel, name: str, data: Path, num_shots: int, limit: int | None) -> tuple[ItemScore, ...]:
    settings = EvalConfig(max_examples=limit, benchmarks=str(data), prompts="harness")
    examined = examination(
        find_task(name, "harness"),
        num_shots=num_shots,
        judged=settings,
        tokenizer=judged.tokenizer,
        sequence_length=judged.model.config.sequence_length,
        heldout=None,
    )
    return examined.score(judged, 0, examined.num_items).items


def assert_judged_alike(
    judged: JudgedModel, task: str, data: Path, *, num_shots: int, limit: int | None = None
) -> None:
    model = RowByRow(judged)
    found = run_harness(model, [task], num_shots=num_shots, limit=limit, data=data)
    samples = sorted(found["samples"][task], key=lambda sample: sample["doc_id"])
    assert model.num_cut == 0
    for sample, item in zip(samples, ours(judged, LOCAL[task][0], data, num_shots, limit), strict=True):
        assert len(item.demonstrations) == num_shots
        asked = [context + continuation for context, continuation in sample["arguments"]]
        if task != "winogrande":  # whose choices have a context each, and one of them is recorded
            assert asked == [(item.prompt or "") + choice for choice in item.choices]
        likelihoods = [float(response[0][0]) for response in sample["resps"]]
        assert item.log_likelihoods == pytest.approx(likelihoods, abs=1e-3)
        if len(likelihoods) == 1:  # of one text, which is written or is not
            assert sample["acc"] == item.value
            continue
        if is_clear(likelihoods):
            assert item.chosen == likelihoods.index(max(likelihoods)), "the same choice, not only as right or as wrong"
            assert sample["acc"] == item.value
        if "acc_norm" in sample and is_clear(
            [value / len(choice) for value, choice in zip(likelihoods, item.choices, strict=True)]
        ):
            assert sample["acc_norm"] == item.others["accuracy_normalised"]


def is_clear(scores: Sequence[float]) -> bool:
    """Whether rounding cannot change which is the highest."""
    *_, second, first = sorted(scores)
    return first - second > CLEAR_MARGIN


@pytest.mark.parametrize("task", ALIKE)
@pytest.mark.parametrize("num_shots", [0, 2])
@pytest.mark.usefixtures("one_thread")
def test_every_item_is_worded_and_judged_alike(task: str, num_shots: int, judged: JudgedModel) -> None:
    if num_shots and task == "lambada_openai":
        return  # has no examples to show
    assert_judged_alike(judged, task, BENCHMARKS, num_shots=num_shots)


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="no folder of real benchmarks beside the checkout")
@pytest.mark.parametrize("task", ALIKE)
@pytest.mark.usefixtures("one_thread")
def test_real_items_are_worded_and_judged_alike(task: str, judged: JudgedModel) -> None:
    assert_judged_alike(judged, task, REAL, num_shots=0 if task == "lambada_openai" else 5, limit=20)


def published_race(folder: Path, *spoilt: str) -> Path:
    shutil.copytree(BENCHMARKS / "race_high", folder / "race_high")
    with (folder / "race_high" / "eval.jsonl").open("a") as rows:
        rows.writelines(line + "\n" for line in spoilt)
    return folder


def test_race_reads_the_published_rows(judged: JudgedModel, tmp_path: Path) -> None:
    found = run_harness(HarnessModel(judged), ["race"], num_shots=0, limit=None, data=published_race(tmp_path))
    num_rows = len((tmp_path / "race_high" / "eval.jsonl").read_text().splitlines())
    assert found["n-samples"]["race"]["effective"] == num_rows


def test_a_task_that_fails_leaves_the_others_their_results(judged: JudgedModel, tmp_path: Path) -> None:
    data = published_race(tmp_path, '{"article": "An article."}')
    shutil.copytree(BENCHMARKS / "piqa", data / "piqa")
    found, failures = run_each(HarnessModel(judged), ["copa", "race", "piqa"], num_shots=0, limit=2, data=data)
    assert set(found["results"]) == {"piqa"}
    assert failures.keys() == {"copa", "race"}
    assert re.search(r"copa: no .*eval\.jsonl", failures["copa"])
    assert re.search(r"race: .*eval\.jsonl row \d+: KeyError: 'question'", failures["race"])


def test_a_task_that_the_harness_does_not_have_is_named(judged: JudgedModel) -> None:
    with pytest.raises(ValueError, match="has no task 'arc_medium'"):
        run_each(HarnessModel(judged), ["piqa", "arc_medium"], num_shots=0, limit=None)
    with pytest.raises(ValueError, match="has no task 'arc_medium'"):
        run_harness(HarnessModel(judged), ["arc_medium"], num_shots=0, limit=None)
