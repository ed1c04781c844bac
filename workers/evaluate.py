"""Evaluation on Ray actors: one checkpoint x task x shots at a time, each result its own folder."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import ray
import torch
from ray.util import ActorPool

from glam.data.heldout import HeldOut
from glam.data.tokenizer import Tokenizer
from glam.evaluation.runner import run_task
from glam.lineage import ScoreStage
from glam.model.likelihood import score_rows
from glam.model.saved import load_model
from glam.model.transformer import Transformer
from glam.records import EvalResult
from glam.store import Store
from workers.numerics import numerics

RESULT = "result.json"
ITEMS = "items.jsonl"
MAX_RESTARTS = 3
THREADS = 1
"""Of one actor; there are as many actors as processors."""

OnResult = Callable[[ScoreStage, EvalResult], None]


def evaluate(scores: Sequence[ScoreStage], store: Store, *, num_actors: int, on_result: OnResult) -> None:
    """Makes the missing score folders, `num_actors` at a time. Expects a connected Ray."""
    missing = [score for score in scores if score.stage.find(store) is None]
    if not missing:
        return
    actor = ray.remote(num_cpus=1, max_restarts=MAX_RESTARTS, max_task_retries=MAX_RESTARTS)(Evaluator)
    pool = ActorPool([actor.remote(str(store.root)) for _ in range(min(num_actors, len(missing)))])
    for score, result in pool.map_unordered(lambda each, score: each.score.remote(score), missing):
        on_result(score, result)


class Evaluator:
    """Scores one order after the other; keeps what it loaded last."""

    def __init__(self, store_root: str):
        torch.set_num_threads(THREADS)
        self._store = Store(store_root)
        self._model = lru_cache(maxsize=2)(self._load_model)
        self._texts = lru_cache(maxsize=1)(self._load_texts)

    def score(self, score: ScoreStage) -> tuple[ScoreStage, EvalResult]:
        """The result of one order, computed now unless its folder is complete."""
        reference = score.stage.reference
        with self._store.claim(reference.kind, reference.label, reference.fingerprint) as folder:
            if not folder.complete:
                experiment = score.run.experiment
                heldout, tokenizer = self._texts(
                    score.run.prepared.heldout.reference.fingerprint, score.run.prepared.tokenizer.reference.fingerprint
                )
                result, items = run_task(
                    score.task,
                    num_shots=score.num_shots,
                    max_examples=experiment.eval.max_examples,
                    seed=experiment.eval.seed,
                    heldout=heldout,
                    tokenizer=tokenizer,
                    sequence_length=experiment.data.sequence_length,
                    score_rows=partial(score_rows, self._model(score.run.stage.reference.fingerprint)),
                )
                folder.write_text(ITEMS, "".join(item.model_dump_json() + "\n" for item in items))
                folder.write_text(RESULT, result.model_dump_json(indent=1) + "\n")
                score.stage.commit(folder, numerics=numerics(threads=THREADS))
            return score, EvalResult.model_validate(folder.read_json(RESULT))

    def _load_texts(self, heldout: str, tokenizer: str) -> tuple[HeldOut, Tokenizer]:
        texts, vocabulary = self._store.open("heldout", heldout), self._store.open("tokenizers", tokenizer)
        return HeldOut(texts.path), Tokenizer.load(vocabulary.path)

    def _load_model(self, run_fingerprint: str) -> Transformer:
        return load_model(self._store.open("runs", run_fingerprint).path)
