"""Evaluation on Ray actors: pieces of tasks are handed out, and each result is a folder of its own.

A piece that was scored is written into the open folder at once, so that a killed job goes on with the next one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import ray
import torch
from ray.exceptions import RayActorError, RayTaskError

from glam.analysis.statistics import score_interval
from glam.config import ModelConfig
from glam.data.heldout import HeldOut
from glam.data.tokenizer import Tokenizer
from glam.evaluation.names import find_task
from glam.evaluation.runner import Examination, examination, joined
from glam.lineage import RunStage, ScoreStage
from glam.model.saved import CONFIG
from glam.records import EvalResult, ExpertLoad, Scored
from glam.store import Folder, Store
from glam.store.tables import write_table
from workers.judged import JudgedModel
from workers.numerics import numerics

RESULT, ITEMS, EXPERTS, PIECE = "result.json", "items.parquet", "experts.json", "piece"
ITEMS_OF_PIECE = 64
MAX_RESTARTS = 3
THREADS = 1
"""Of one actor; there are as many actors as processors."""
PIECES_OF_ACTOR = 2
"""In flight: one that is computed and one that waits."""

OnResult = Callable[[ScoreStage, EvalResult], None]


@dataclass(frozen=True)
class Failure:
    """A task that could not be judged."""

    score: ScoreStage
    reason: str


@dataclass
class _Job:
    """A score folder that is being made."""

    score: ScoreStage
    folder: Folder
    examined: Examination
    claim: ExitStack
    to_come: set[str] = field(default_factory=set)
    failed: bool = False


@dataclass(frozen=True)
class Piece:
    """Items `first` up to and without `last` of a task."""

    score: ScoreStage
    first: int
    last: int

    @property
    def file(self) -> str:
        """Where its scores are kept until all are there."""
        return f"{PIECE}-{self.first:07d}-{self.last:07d}.json"


def evaluate(scores: Sequence[ScoreStage], store: Store, *, num_actors: int, on_result: OnResult) -> list[Failure]:
    """Makes the missing score folders and says which could not be made, and why. Expects a connected Ray.

    `on_result` is called for every folder that is made, in the order in which they are finished.
    """
    # One order for everybody: two jobs that want each other's folders would wait for ever.
    missing = sorted(
        (score for score in scores if score.stage.find(store) is None),
        key=lambda score: score.stage.reference.fingerprint,
    )
    if not missing:
        return []
    actor: Any = ray.remote(num_cpus=1, max_restarts=MAX_RESTARTS, max_task_retries=MAX_RESTARTS)(Evaluator)
    idle = [actor.remote(str(store.root)) for _ in range(num_actors)] * PIECES_OF_ACTOR
    failures: list[Failure] = []
    with ExitStack() as claims:
        flying: dict[Any, tuple[Any, _Job, Piece]] = {}
        for job, piece in _pieces(missing, store, claims, failures, on_result):
            while not idle:
                idle.append(_take(flying, failures, on_result))
            if not job.failed:
                evaluator = idle.pop(0)
                flying[evaluator.score.remote(piece)] = (evaluator, job, piece)
        while flying:
            _take(flying, failures, on_result)
    return failures


class Evaluator:
    """Scores one piece after the other; keeps what it loaded last."""

    def __init__(self, store_root: str):
        torch.set_num_threads(THREADS)
        self._store = Store(store_root)
        self._model = lru_cache(maxsize=2)(JudgedModel)
        self._examined: dict[str, Examination] = {}

    def score(self, piece: Piece) -> Scored:
        """What the model makes of a piece."""
        model, name = self._model(model_folder(piece.score, self._store)), str(piece.score.stage.reference)
        if name not in self._examined:
            self._examined = {name: examine(piece.score, self._store)}
        return self._examined[name].score(model, piece.first, piece.last)


def model_folder(score: ScoreStage, store: Store) -> Path:
    """Of the weights that are judged."""
    if isinstance(score.subject, RunStage):
        return store.open("runs", score.subject.stage.reference.fingerprint).path
    return Path(score.subject.path)


def examine(score: ScoreStage, store: Store) -> Examination:
    """The questions of a score, in the vocabulary of its model. Raises ValueError as `examination` does."""
    subject, folder = score.subject, model_folder(score, store)
    heldout = subject.prepared.heldout.reference.fingerprint if isinstance(subject, RunStage) else subject.heldout
    return examination(
        find_task(score.task, score.judged.prompts),
        num_shots=score.num_shots,
        judged=score.judged,
        tokenizer=Tokenizer.load(folder),
        sequence_length=ModelConfig.model_validate_json((folder / CONFIG).read_bytes()).sequence_length,
        heldout=None if heldout is None else HeldOut(store.open("heldout", heldout).path),
    )


def _pieces(
    missing: Sequence[ScoreStage], store: Store, claims: ExitStack, failures: list[Failure], on_result: OnResult
) -> Iterator[tuple[_Job, Piece]]:
    """Pieces that are to be scored, folder after folder; a folder that needs none is finished on the way."""
    for score in missing:
        reference = score.stage.reference
        claim = claims.enter_context(ExitStack())
        folder = claim.enter_context(store.claim(reference.kind, reference.label, reference.fingerprint))
        if folder.complete:  # somebody else's, meanwhile
            claim.close()
            continue
        try:
            job = _Job(score, folder, examine(score, store), claim)
        except ValueError as error:
            failures.append(Failure(score, str(error)))
            claim.close()
            continue
        num_items = job.examined.num_items
        every = [
            Piece(score, first, min(first + ITEMS_OF_PIECE, num_items)) for first in range(0, num_items, ITEMS_OF_PIECE)
        ]
        wanted = [piece for piece in every if not (folder.path / piece.file).exists()]
        job.to_come = {piece.file for piece in wanted}
        if not wanted:
            _finish(job, on_result)
        for piece in wanted:
            yield job, piece


def _take(flying: dict[Any, tuple[Any, _Job, Piece]], failures: list[Failure], on_result: OnResult) -> Any:
    """Waits for a piece and keeps it; gives the actor that is free now."""
    (done,), _ = ray.wait(list(flying), num_returns=1)
    evaluator, job, piece = flying.pop(done)
    try:
        scored: Scored = ray.get(done)
    except (RayTaskError, RayActorError) as error:
        if not job.failed:
            job.failed = True
            failures.append(Failure(job.score, _last_words(error)))
            job.claim.close()
        return evaluator
    if not job.failed:
        job.folder.write_text(piece.file, scored.model_dump_json() + "\n")
        job.to_come.remove(piece.file)
        if not job.to_come:
            _finish(job, on_result)
    return evaluator


def _finish(job: _Job, on_result: OnResult) -> None:
    folder = job.folder
    files = sorted(folder.path.glob(f"{PIECE}-*.json"))
    scored = joined(Scored.model_validate_json(file.read_bytes()) for file in files)
    result = _with_interval(job.examined.result(scored), scored)
    write_table(folder, ITEMS, scored.items)
    if scored.load_LE is not None:
        folder.write_text(EXPERTS, ExpertLoad(step=0, load_LE=scored.load_LE).model_dump_json() + "\n")
    folder.write_text(RESULT, result.model_dump_json(indent=1) + "\n")
    for file in files:
        folder.remove(file.name)
    job.score.stage.commit(folder, numerics=numerics(threads=THREADS))
    job.claim.close()
    on_result(job.score, result)


def _with_interval(result: EvalResult, scored: Scored) -> EvalResult:
    found = score_interval(scored.items, bounded=result.metric != "cross_entropy")
    if found is None:
        return result
    return result.model_copy(update=dict(zip(("standard_error", "low", "high"), found, strict=True)))


def _last_words(error: Exception) -> str:
    cause = error.cause if isinstance(error, RayTaskError) else error
    return str(cause).strip().splitlines()[-1]
