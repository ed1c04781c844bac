"""Contestants that answer benchmarks: our engine, and lm-evaluation-harness on the same weights and on others.

Weights are drawn, not trained: what an answer takes does not depend on how good it is. The vocabulary is quickstart's.
A call is a whole task, from files to scores.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
import torch
import torch.nn.functional as F
from ray.util import ActorPool
from torch.nn.utils.rnn import pad_sequence

from glam.bench.model.peer import build
from glam.config import EvalConfig, ModelConfig
from glam.data.tokenizer import Tokenizer
from glam.evaluation.names import find_task
from glam.evaluation.runner import Asking, examination
from glam.evaluation.scorer import NUM_BEAMS
from glam.evaluation.task import Generation
from glam.lineage import data_stages
from glam.model.saved import save_model
from glam.model.transformer import Transformer
from glam.recipes import PYTHON_DOCS
from glam.store import Store
from workers.harness import HarnessModel, run_harness
from workers.judged import JudgedModel

# Any: types are checked where the extras are not installed too.
transformers: Any = import_module("transformers")
models: Any = import_module("lm_eval.models.utils")
hugging_face: Any = import_module("lm_eval.models.huggingface")

Call = Callable[[], Mapping[str, float]]
THREADS = 2
NUM_ACTORS_THREADS = 1
EXPERTS = "grouped_mm"
"""What transformers takes where nothing is said."""


def engine(
    store: str, model: Mapping[str, Any], data: str, task: str, num_shots: int, limit: int | None, prompts: str
) -> Call:
    """Ours. Fact: the share of right answers."""
    judged = _judged(store, model)

    def call() -> dict[str, float]:
        examined = _examined(judged, data, task, num_shots, limit, prompts)
        result = examined.result(examined.score(judged, 0, examined.num_items))
        return {"accuracy": math.nan if result.value is None else result.value}

    return call


class Batched(HarnessModel):
    """Our weights behind the harness as its class for Hugging Face models asks them.

    Sorted by length, padded on the right, those that differ in their last token computed once, log-probabilities of
    every position.
    """

    batch_size = 1

    def _loglikelihood_tokens(
        self, requests: list[tuple[tuple[str, str], list[int], list[int]]], **_: Any
    ) -> list[tuple[float, bool]]:
        model = self._judged.model
        collator = models.Collator(
            requests,
            sort_fn=lambda request: (-len(request[1] + request[2]), tuple(request[1] + request[2])),
            group_by="contexts",
            group_fn=lambda request: request[1] + request[2][:-1],
        )
        found: list[tuple[float, bool]] = []
        for batch in collator.get_batched(n=self.batch_size):
            rows = [torch.tensor((context + continuation)[:-1]) for _, context, continuation in batch]
            with torch.inference_mode():
                logits_BSV = model(pad_sequence(rows, batch_first=True)).logits_BSV
                log_probability_BSV = F.log_softmax(logits_BSV, dim=-1)
            for (texts, context, continuation), row, each_SV in zip(batch, rows, log_probability_BSV, strict=True):
                of_choice_CV = each_SV[len(row) - len(continuation) : len(row)]
                for _, ids, log_probability_1CV in collator.get_cache(
                    req_str=texts, cxt_toks=context, cont_toks=continuation, logits=of_choice_CV[None]
                ):
                    chosen_1C = torch.tensor(ids)[None]
                    greedy = bool((log_probability_1CV.argmax(-1) == chosen_1C).all())
                    found.append((float(log_probability_1CV.gather(2, chosen_1C[..., None]).sum()), greedy))
        return collator.get_original(found)


def harness(
    store: str, model: Mapping[str, Any], data: str, task: str, num_shots: int, limit: int | None, batch_size: int
) -> Call:
    """The harness on the same weights. Fact: the share of right answers."""
    asked = Batched(_judged(store, model))
    asked.batch_size = batch_size
    return lambda: _accuracy(asked, data, task, num_shots, limit)


def harness_of_transformers(
    store: str, model: Mapping[str, Any], data: str, task: str, num_shots: int, limit: int | None, batch_size: int
) -> Call:
    """The harness's own class on transformers' model of the same shape."""
    torch.set_num_threads(THREADS)
    ours = ModelConfig.model_validate(model)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(_vocabulary(store) / "tokenizer.json"), eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )
    asked = hugging_face.HFLM(
        pretrained=build(ours, EXPERTS).eval(),
        tokenizer=tokenizer,
        batch_size=batch_size,
        max_length=ours.sequence_length,
        device="cpu",
    )
    return lambda: _accuracy(asked, data, task, num_shots, limit)


def beam_search(store: str, model: Mapping[str, Any], data: str, task: str, num_shots: int, limit: int) -> Call:
    """Our answers in writing, as the paper's protocol asks for them."""
    judged = _judged(store, model)
    asked, prompts = _prompts(judged, data, task, num_shots, limit)

    def call() -> dict[str, float]:
        written = judged.write(prompts, stop=asked.stop, max_new_tokens=asked.max_new_tokens)
        return {"answers": float(len(written.texts))}

    return call


def beam_search_of_transformers(
    store: str, model: Mapping[str, Any], data: str, task: str, num_shots: int, limit: int, batch_size: int
) -> Call:
    """transformers' beam search on its model of the same shape, prompts of like length together."""
    torch.set_num_threads(THREADS)
    ours = ModelConfig.model_validate(model)
    asked, prompts = _prompts(_judged(store, model), data, task, num_shots, limit)
    peer = build(ours, EXPERTS).eval()
    rows = sorted(prompts, key=len, reverse=True)

    def call() -> dict[str, float]:
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            ids = pad_sequence([torch.tensor(row) for row in batch], batch_first=True, padding_side="left")
            lengths = torch.tensor([len(row) for row in batch])
            seen = torch.arange(ids.shape[1]) >= (ids.shape[1] - lengths)[:, None]
            with torch.inference_mode():
                peer.generate(
                    ids,
                    attention_mask=seen.long(),
                    num_beams=NUM_BEAMS,
                    do_sample=False,
                    max_new_tokens=asked.max_new_tokens,
                    pad_token_id=0,
                    eos_token_id=0,
                )
        return {"answers": float(len(rows))}

    return call


def actors(store: str, model: Mapping[str, Any], data: str, task: str, num_shots: int, limit: int, count: int) -> Call:
    """Our engine in so many Ray actors of one thread, without the time they take to start."""
    folder = checkpoint(store, json.dumps(model))
    if not ray.is_initialized():
        ray.init(address="local", num_cpus=count, include_dashboard=False, log_to_driver=False)

    class Actor:
        def __init__(self) -> None:
            torch.set_num_threads(NUM_ACTORS_THREADS)
            self._judged = JudgedModel(folder)
            self._examined = _examined(self._judged, data, task, num_shots, limit, "harness")

        def score(self, first: int, last: int) -> int:
            return len(self._examined.score(self._judged, first, last).items)

    remote: Any = ray.remote(num_cpus=1)(Actor)
    started = [remote.remote() for _ in range(count)]
    ray.get([each.score.remote(0, 1) for each in started])

    def call() -> dict[str, float]:
        pool: Any = ActorPool(started)
        pieces = [(first, min(first + 16, limit)) for first in range(0, limit, 16)]
        return {"answers": float(sum(pool.map_unordered(lambda actor, piece: actor.score.remote(*piece), pieces)))}

    return call


def _accuracy(asked: Any, data: str, task: str, num_shots: int, limit: int | None) -> dict[str, float]:
    logging.disable(logging.WARNING)  # it reports every setting that it overrides
    found = run_harness(asked, [task], num_shots=num_shots, limit=limit, data=Path(data))
    return {"accuracy": found["results"][task]["acc,none"]}


def _examined(judged: JudgedModel, data: str, task: str, num_shots: int, limit: int | None, prompts: str) -> Asking:
    settings = EvalConfig.model_validate({"max_examples": limit, "benchmarks": data, "prompts": prompts})
    examined = examination(
        find_task(task, settings.prompts),
        num_shots=num_shots,
        judged=settings,
        tokenizer=judged.tokenizer,
        sequence_length=judged.model.config.sequence_length,
        heldout=None,
    )
    assert isinstance(examined, Asking), f"{task} asks questions"
    return examined


def _prompts(
    judged: JudgedModel, data: str, task: str, num_shots: int, limit: int
) -> tuple[Generation, list[Sequence[int]]]:
    examined = _examined(judged, data, task, num_shots, limit, "paper")
    assert isinstance(examined.task, Generation), f"answers of {task} are written"
    prompts = [examined.prompt(place) for place in range(examined.num_items)]
    return examined.task, [prompt.requests[0][0] for prompt in prompts if not prompt.excess_tokens]


def _judged(store: str, model: Mapping[str, Any]) -> JudgedModel:
    torch.set_num_threads(THREADS)
    return JudgedModel(checkpoint(store, json.dumps(model)))


@cache
def checkpoint(store: str, model: str) -> Path:
    """A folder with drawn weights of that shape, gone as this process ends."""
    config = ModelConfig.model_validate_json(model)
    made = Transformer(config)
    made.initialize(0)
    folder = Path(_scratch().name)
    save_model(folder, config, made.state_dict())
    (folder / "tokenizer.json").write_text(Tokenizer.load(_vocabulary(store)).to_json(), "utf-8")
    return folder


@cache
def _scratch() -> TemporaryDirectory[str]:
    """A folder that is removed as this process ends."""
    return TemporaryDirectory(prefix="glam-bench-")


def _vocabulary(store: str) -> Path:
    return Store(store).open("tokenizers", data_stages(PYTHON_DOCS).tokenizer.reference.fingerprint).path
