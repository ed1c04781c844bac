"""Evaluation's benchmark. Names of rows stay, so that two results can be compared.

It asks real questions: `--benchmarks DIR` with the files of the tasks. `glam prepare quickstart` gives the vocabulary.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glam.bench.measure import BenchError, Contestant
from glam.bench.model.races import rope_gated
from glam.bench.rows import Claim, Race, fact
from glam.config import ModelConfig, replace
from glam.lineage import data_stages
from glam.recipes import PYTHON_DOCS
from glam.store import Store
from glam.study import dense_twin
from glam.variants import VARIANTS

MODULE, AGAIN = "workers.bench.judging", "workers.bench.second_call"
SPARSE = replace(VARIANTS["ladder_16m_8e"], sequence_length=4096)
GATED = replace(rope_gated("ladder_16m"), sequence_length=4096)
"""The form that transformers has too: Mixtral, and Llama for the dense one."""
SMALL = replace(VARIANTS["ladder_1m_8e"], sequence_length=4096)
CHOSEN = {"hellaswag": "hellaswag", "arc_easy": "arc_easy", "piqa": "piqa", "race_high": "race"}
"""Our names of tasks, and lm-evaluation-harness's."""
WRITTEN = ("triviaqa", "squad_v2")
NUM_SHOTS = 5
NUM_CHOSEN, NUM_WRITTEN, NUM_OF_ACTORS = 24, 32, 96
"""Items of a call."""
NUM_LONG = {"race_high": 4, "squad_v2": 8}
"""Of articles and passages, which take others minutes."""
MOST_SECONDS_OF_A_SECOND_CALL = 3.0
BATCH_SIZES = (1, 4, 16)
"""Of the others, who are taken at their best."""


def races(benchmarks: str | None = None) -> list[Race]:
    """All of it, in the order in which it runs. Raises BenchError where questions or vocabulary are missing."""
    store = Store.default()
    if data_stages(PYTHON_DOCS).tokenizer.find(store) is None:
        raise BenchError(
            f"quickstart is not prepared in {store.root}, and its vocabulary is used: glam prepare quickstart"
        )
    if benchmarks is None:
        raise BenchError("it asks the questions of benchmarks: --benchmarks DIR with TASK/eval.jsonl, TASK/train.jsonl")
    folder = Path(benchmarks).absolute()
    if missing := [task for task in (*CHOSEN, *WRITTEN) if not (folder / task / "eval.jsonl").is_file()]:
        raise BenchError(f"no eval.jsonl in {folder} of {', '.join(missing)}")
    return list(_races(str(store.root), str(folder)))


def _races(store: str, data: str) -> Iterator[Race]:
    for task, theirs in CHOSEN.items():
        limit = NUM_LONG.get(task, NUM_CHOSEN)
        asked = {"data": data, "num_shots": NUM_SHOTS, "limit": limit}
        for name, model, other in (
            ("against_harness", SPARSE, "harness"),
            ("against_harness_with_transformers", dense_twin(GATED), "harness_of_transformers"),
        ):
            contestants = {
                "ours": _contestant("engine", store, model, limit, **asked, task=task, prompts="harness"),
                "other": [
                    _contestant(other, store, model, limit, **asked, task=theirs, batch_size=size)
                    for size in BATCH_SIZES
                ],
            }
            claims = [Claim(f"{name}/{task}", "items/s", "ours", "other", 3.0)]
            if other == "harness":  # the same weights, so the same answers
                claims.append(Claim(f"accuracy/{task}", "share", "ours", "other", None, fact("accuracy")))
            yield Race(contestants, tuple(claims))
    for task in WRITTEN:
        limit = NUM_LONG.get(task, NUM_WRITTEN)
        asked = {"data": data, "task": task, "num_shots": 1, "limit": limit}
        for kind, model in (("sparse", GATED), ("dense", dense_twin(GATED))):
            contestants = {
                "ours": _contestant("beam_search", store, model, limit, **asked),
                "other": [
                    _contestant("beam_search_of_transformers", store, model, limit, **asked, batch_size=size)
                    for size in BATCH_SIZES
                ],
            }
            yield Race(
                contestants,
                (Claim(f"beam_search_against_transformers/{kind}/{task}", "items/s", "ours", "other", 2.0),),
            )
    asked = {"data": data, "task": "hellaswag", "num_shots": NUM_SHOTS, "limit": NUM_OF_ACTORS}
    of_actors = {
        name: _contestant("actors", store, SPARSE, NUM_OF_ACTORS, **asked, count=count)
        for name, count in (("two", 2), ("one", 1))
    }
    yield Race(of_actors, (Claim("two_actors_against_one", "items/s", "two", "one", 1.8),))
    again = Contestant(f"{AGAIN}:second_call", {"store": store, "model": SMALL.model_dump(mode="json"), "data": data})
    claim = Claim(
        "second_call",
        "s",
        "again",
        "again",
        1.0,
        lambda _, measured: measured.median_seconds,
        other_measure=lambda _, __: MOST_SECONDS_OF_A_SECOND_CALL,
        less_is_better=True,
    )
    yield Race({"again": again}, (claim,))


def _contestant(builder: str, store: str, model: ModelConfig, work: float, **arguments: Any) -> Contestant:
    return Contestant(
        f"{MODULE}:{builder}",
        {"store": store, "model": model.model_dump(mode="json"), **arguments},
        work,
        label=f"batches of {arguments['batch_size']}" if "batch_size" in arguments else "",
        package="lm_eval",
    )
