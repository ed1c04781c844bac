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
from ray.exceptions import RayActorError, RayError, RayTaskError

from glam.analysis.statistics import score_interval, with_metric
from glam.config import ModelConfig
from glam.data.heldout import HeldOut
from glam.data.tokenizer import Tokenizer
from glam.energy.account import UNKNOWN, Energy, between
from glam.energy.entries import energy_fields
from glam.energy.meter import Meter, open_meter
from glam.energy.sharing import Sharing
from glam.evaluation.names import find_task, identity
from glam.evaluation.runner import Examination, examination, joined
from glam.lineage import RunStage, ScoreStage
from glam.model.saved import CONFIG
from glam.records import EvalResult, ExpertLoad, Scored
from glam.store import Folder, Store, StoreError
from glam.store.tables import write_table
from workers.judged import JudgedModel
from workers.nodes import on_one_node
from workers.numerics import numerics
from workers.signals import wait

RESULT, ITEMS, EXPERTS, PIECE = "result.json", "items.parquet", "experts.json", "piece"
ITEMS_OF_PIECE = 64
MAX_RESTARTS = 3
THREADS = 1
"""Of one actor; there are as many actors as processors."""

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
    pieces: list[str] = field(default_factory=list)
    """Files of all pieces, in the order of their items."""
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
    # One order for everybody: two jobs that want each other's folders would wait for ever. Models one by one.
    missing = sorted(
        (score for score in scores if score.stage.find(store) is None),
        key=lambda score: (_model_name(score), score.stage.reference.fingerprint),
    )
    if not missing:
        return []
    crew = _Crew(str(store.root), num_actors, open_meter())
    failures: list[Failure] = []
    with ExitStack() as claims:
        for job, piece in _pieces(missing, store, claims, failures, on_result):
            if crew.busy:
                _keep(*crew.take(), failures, on_result)
            if not job.failed:
                crew.give(job, piece)
        while crew.flying:
            _keep(*crew.take(), failures, on_result)
    return failures


class _Crew:
    """Actors at work, each with one piece: what kills an actor takes no other piece with it.

    Where the meter is one of a process, each actor reads its own; one of the node is read here, and shared.
    """

    def __init__(self, store_root: str, num_actors: int, meter: Meter):
        self._settings = (store_root, meter.method if meter.per_process else "none")
        self._sharing = None if meter.per_process else Sharing(meter)
        self._remote: Any = ray.remote(num_cpus=1, max_restarts=MAX_RESTARTS, max_task_retries=MAX_RESTARTS)(Evaluator)
        self._actors = [self._remote.remote(*self._settings) for _ in range(num_actors)]
        self._idle = list(range(num_actors))
        self.flying: dict[Any, tuple[int, Any, _Job, Piece]] = {}

    @property
    def busy(self) -> bool:
        """Whether nobody can take another piece."""
        return not self._idle

    def give(self, job: "_Job", piece: "Piece") -> None:
        """To an actor that can take one."""
        place = self._idle.pop(0)
        actor = self._actors[place]
        asked = actor.score.remote(piece)
        self.flying[asked] = (place, actor, job, piece)
        if self._sharing is not None:
            self._sharing.begin(asked)

    def take(self) -> tuple["_Job", "Piece", "Scored | RayError"]:
        """Waits for a piece; an actor that has died for good is replaced."""
        (done,), _ = wait(list(self.flying))
        place, actor, job, piece = self.flying.pop(done)
        self._idle.append(place)
        shared = None if self._sharing is None else self._sharing.end(done)
        try:
            scored = ray.get(done)
            if shared is not None:  # what this node used says nothing where others worked too
                scored = _with_energy(scored, shared if on_one_node() else UNKNOWN)
            return job, piece, scored
        except RayError as error:
            if isinstance(error, RayActorError) and self._actors[place] is actor:
                self._actors[place] = self._remote.remote(*self._settings)
            return job, piece, error


class Evaluator:
    """Scores one piece after the other; keeps what it loaded last."""

    def __init__(self, store_root: str, meter: str):
        torch.set_num_threads(THREADS)
        self._store = Store(store_root)
        self._meter = open_meter(meter)
        self._model = lru_cache(maxsize=1)(JudgedModel)
        self._examined: dict[str, Examination] = {}

    def score(self, piece: Piece) -> Scored:
        """What the model makes of a piece."""
        model, name = self._model(model_folder(piece.score, self._store)), str(piece.score.stage.reference)
        if name not in self._examined:
            self._examined = {name: examine(piece.score, self._store)}
        before = self._meter.read()
        scored = self._examined[name].score(model, piece.first, piece.last)
        return _with_energy(scored, between(before, self._meter.read()))


def model_folder(score: ScoreStage, store: Store) -> Path:
    """Of the weights that are judged."""
    if isinstance(score.subject, RunStage):
        return store.open("runs", score.subject.stage.reference.fingerprint).path
    return Path(score.subject.path)


def examine(score: ScoreStage, store: Store) -> Examination:
    """The questions of a score, in the vocabulary of its model.

    Raises ValueError as `examination` does, and where they are no longer what the score is named after.
    """
    _check_unchanged(score)
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


def _check_unchanged(score: ScoreStage) -> None:
    now = identity(score.task, score.judged)
    if now is None:
        return
    found = {"questions": now.asked, "demonstrations": now.pool}
    if any(score.stage.config.get(name, mark) != mark for name, mark in found.items()):
        raise ValueError(
            f"{score.task}: its files in {score.judged.benchmarks} were changed after this evaluation began; start it "
            "again, and what is asked now will be scored"
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
        except (ValueError, StoreError, OSError) as error:
            failures.append(Failure(score, str(error)))
            claim.close()
            continue
        num_items = job.examined.num_items
        every = [
            Piece(score, first, min(first + ITEMS_OF_PIECE, num_items)) for first in range(0, num_items, ITEMS_OF_PIECE)
        ]
        wanted = [piece for piece in every if not (folder.path / piece.file).exists()]
        job.pieces = [piece.file for piece in every]
        job.to_come = {piece.file for piece in wanted}
        if not wanted:
            _finish(job, on_result)
        for piece in wanted:
            yield job, piece


def _keep(job: _Job, piece: Piece, found: Scored | RayError, failures: list[Failure], on_result: OnResult) -> None:
    """Writes down what became of a piece, and finishes its folder with the last one."""
    if job.failed:
        return
    if isinstance(found, RayError):
        job.failed = True
        failures.append(Failure(job.score, _last_words(found)))
        job.claim.close()
        return
    job.folder.write_text(piece.file, found.model_dump_json() + "\n")
    job.to_come.remove(piece.file)
    if not job.to_come:
        _finish(job, on_result)


def _finish(job: _Job, on_result: OnResult) -> None:
    folder = job.folder
    scored = joined(Scored.model_validate_json((folder.path / name).read_bytes()) for name in job.pieces)
    assert len(scored.items) == job.examined.num_items, f"{len(scored.items)} of {job.examined.num_items} items"
    result = _with_intervals(job.examined.result(scored), scored)
    write_table(folder, ITEMS, scored.items)
    if scored.load_LE is not None:
        folder.write_text(EXPERTS, ExpertLoad(step=0, load_LE=scored.load_LE).model_dump_json() + "\n")
    folder.write_text(RESULT, result.model_dump_json(indent=1) + "\n")
    for file in folder.path.glob(f"{PIECE}-*.json"):
        folder.remove(file.name)
    job.score.stage.commit(folder, numerics=numerics(threads=THREADS))
    job.claim.close()
    on_result(job.score, result)


def _with_energy(scored: Scored, used: Energy) -> Scored:
    return scored.model_copy(update=dict(energy_fields(used)))


def _with_intervals(result: EvalResult, scored: Scored) -> EvalResult:
    own = score_interval(scored.items, bounded=result.metric != "cross_entropy")
    others = {name: score_interval(with_metric(scored.items, name), bounded=True) for name in result.others}
    known = {name: found for name, found in others.items() if found is not None}
    of_value = {} if own is None else own.model_dump(exclude={"schema_version"})
    return result.model_copy(update={**of_value, "intervals": known})


def _last_words(error: RayError) -> str:
    cause = error.cause if isinstance(error, RayTaskError) else error
    lines = str(cause).strip().splitlines()
    return lines[-1] if lines else type(cause).__name__


def _model_name(score: ScoreStage) -> str:
    """Of the weights that are judged: those of a run, or of a folder."""
    subject = score.subject
    return subject.stage.reference.fingerprint if isinstance(subject, RunStage) else subject.weights_sha256
