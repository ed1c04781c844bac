"""lm-evaluation-harness on a checkpoint of ours (extra `lm-eval`): its tasks, prompts and scoring; our engine."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.evaluator import simple_evaluate
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml  # what its manager reads a registered task with

from glam.model.generation import generate, until_stop
from glam.model.generation_config import GenerationConfig
from glam.model.likelihood import score_rows
from workers.judged import JudgedModel

MAX_NEW_TOKENS = 256
LOCAL: Mapping[str, tuple[str, str]] = {
    **{name: (name, "test") for name in ("arc_easy", "arc_challenge", "openbookqa")},
    **{name: (name, "validation") for name in ("hellaswag", "piqa", "winogrande", "boolq", "cb", "copa")},
    "sglue_rte": ("rte", "validation"),
    "lambada_openai": ("lambada", "test"),
    "race": ("race_high", "test"),
}
"""Its tasks that read files: our name of the task, and its split. All are as our tasks read them."""


class HarnessModel(TemplateLM):
    """A trained model behind the harness's three questions.

    Every context begins with end-of-text, as a document does in training. What is too long loses its beginning, as in
    the harness's own model classes; `num_cut` counts how often.
    """

    def __init__(self, judged: JudgedModel):
        super().__init__()
        self._judged = judged
        self.num_cut = 0

    @property
    def eot_token_id(self) -> int:
        return self._judged.tokenizer.end_of_text

    @property
    def tokenizer_name(self) -> str:
        return "glam"

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        ids = self._judged.tokenizer.encode(string)
        return ids if add_special_tokens is False else [self.eot_token_id, *ids]

    def _loglikelihood_tokens(
        self, requests: list[tuple[tuple[str, str], list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        length = self._judged.model.config.sequence_length
        cut = [self._fitting(context, continuation, length) for _, context, continuation in requests]
        found = self._judged.score_continuations(cut)
        return [(score.log_likelihood, score.greedy) for score in found.scores]

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:  # noqa: ARG002
        length = self._judged.model.config.sequence_length
        rows: list[list[int]] = []
        owners: list[int] = []
        for index, request in enumerate(requests):
            ids = self.tok_encode(request.args[0])
            # Windows overlap by one id, so that every id but the first is predicted once.
            for start in range(0, len(ids) - 1, length):
                rows.append(ids[start : start + length + 1])
                owners.append(index)
        totals = [0.0] * len(requests)
        for owner, scores in zip(owners, score_rows(self._judged.model, rows), strict=True):
            totals[owner] -= float(scores.nll.sum())
        return totals

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:  # noqa: ARG002
        model, tokenizer = self._judged.model, self._judged.tokenizer
        written: list[str] = [""] * len(requests)
        for key, places in _alike(requests).items():
            stop, num_new = key
            config = GenerationConfig(max_new_tokens=num_new, stop=stop)
            length = model.config.sequence_length - num_new
            if length < 1:
                raise ValueError(
                    f"{num_new} new tokens are asked for, and a row of the model has {model.config.sequence_length}"
                )
            prompts = [self._last(self.tok_encode(requests[place].args[0]), length) for place in places]
            found = generate(model, prompts, config, end_of_text=self.eot_token_id, decode=tokenizer.decode)
            for place, ids in zip(places, found.rows, strict=True):
                written[place] = until_stop(stop, tokenizer.decode(ids))
        return written

    def _fitting(self, context: list[int], continuation: list[int], length: int) -> tuple[list[int], list[int]]:
        if len(continuation) > length:
            raise ValueError(f"a continuation has {len(continuation)} tokens, and a row of the model {length}")
        return self._last(context, length + 1 - len(continuation)), continuation

    def _last(self, ids: list[int], length: int) -> list[int]:
        if len(ids) <= length:
            return ids
        self.num_cut += 1
        return ids[-length:]


def run_each(model: HarnessModel, tasks: Sequence[str], **how: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The results of `run_harness` for one task after the other, and the reasons of those that failed, by task.

    Raises ValueError for a task that the harness does not know, before any is run.
    """
    _check(tasks)
    found: dict[str, Any] = {"results": {}}
    failures: dict[str, str] = {}
    for task in tasks:
        try:
            results = run_harness(model, [task], **how)
        except Exception as error:  # its tasks are code of many hands
            failures[task] = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            continue
        for name, part in results.items():
            found[name] = {**found.get(name, {}), **part} if isinstance(part, dict) else part
    return found, failures


def run_harness(
    model: HarnessModel,
    tasks: Sequence[str],
    *,
    num_shots: int | None,
    limit: int | None,
    data: Path | None = None,
) -> dict[str, Any]:
    """Its results, with its samples. Tasks of `LOCAL` read `data` where it is given; others the hub, as it does.

    Raises ValueError for a task that it does not know.
    """
    _check(tasks)
    manager = _manager()
    with TemporaryDirectory(prefix="glam-harness-") as place:
        found = simple_evaluate(
            model=model,
            tasks=[
                _local(task, data, manager, Path(place)) if data is not None and task in LOCAL else task
                for task in tasks
            ],
            num_fewshot=num_shots,
            limit=limit,
            bootstrap_iters=0,
            task_manager=manager,
        )
    assert found is not None, "only ranks above 0 are given nothing"
    return dict(found)


@cache
def _manager() -> TaskManager:
    """Made once: it reads some ten thousand files."""
    return TaskManager()


def _check(tasks: Sequence[str]) -> None:
    for task in tasks:
        if task not in _manager().all_tasks:
            raise ValueError(f"lm-evaluation-harness has no task {task!r}")


def _local(task: str, data: Path, manager: TaskManager, place: Path) -> dict[str, Any]:
    """The task's own configuration, but for where its rows come from; what has to be written for it goes to `place`."""
    name, split = LOCAL[task]
    described = manager.task_index[task].yaml_path
    assert described is not None, f"{task} is described by a file"
    config = load_yaml(described)
    files = {"train": data / name / "train.jsonl", split: data / name / "eval.jsonl"}
    if not files[split].exists():
        raise ValueError(f"{task}: no {files[split]}")
    there = {part: file for part, file in files.items() if file.exists()}
    if task == "race":
        there = {part: _problems(file, place / f"{part}.jsonl") for part, file in there.items()}
    found = {part: str(file) for part, file in there.items()}
    return {
        **config,
        "training_split": config.get("training_split") or ("train" if "train" in found else None),
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": found},
    }


def _problems(published: Path, written: Path) -> Path:
    """RACE as the harness reads it, an article and the questions about it in a line: here one question a line."""
    with open(published, "rb") as rows, open(written, "w", encoding="utf-8") as lines:
        for number, line in enumerate(rows, start=1):
            try:
                row = json.loads(line)
                asked = {part: row[part] for part in ("question", "answer", "options")}
                lines.write(json.dumps({"article": row["article"], "problems": str([asked])}) + "\n")
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"race: {published} row {number}: {type(error).__name__}: {error}; it has to have article, "
                    "question, options and answer"
                ) from error
    return written


def _alike(requests: Sequence[Instance]) -> dict[tuple[tuple[str, ...], int], list[int]]:
    """Places of requests by what ends them: their stop texts and the most new tokens."""
    found: dict[tuple[tuple[str, ...], int], list[int]] = {}
    for place, request in enumerate(requests):
        options: dict[str, Any] = request.arguments[1]  # pyright: ignore[reportGeneralTypeIssues] - of this kind of request
        until = options.get("until") or []
        stop = (until,) if isinstance(until, str) else tuple(until)
        if options.get("do_sample") or options.get("temperature"):
            raise ValueError(f"the harness asks for sampling ({options}); this model answers greedily")
        found.setdefault((stop, int(options.get("max_gen_toks", MAX_NEW_TOKENS))), []).append(place)
    return found
