"""What a verdict is made of: a run's records and scores, read from the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from glam.records import EvalResult, HeldoutPoint, HeldoutRows, ItemScore, Record, RunSummary, StepMetrics
from glam.store import Folder, StoreError
from glam.store.tables import read_table

SUMMARY, STEPS, HELDOUT, HELDOUT_ROWS = "summary.json", "steps.jsonl", "heldout.jsonl", "heldout_rows.jsonl"
RESULT, ITEMS = "result.json", "items.parquet"
PAIRED = ("item_id", "cluster", "value", "weight", "bytes", "margin", "chosen", "others")
"""What comparisons read of an item; prompts and answers would fill the memory."""

RecordT = TypeVar("RecordT", bound=Record)
TaskKey = tuple[str, int]
"""(task, number of shots)."""


@dataclass(frozen=True)
class Score:
    """One task at one number of shots."""

    result: EvalResult
    items: tuple[ItemScore, ...]


@dataclass(frozen=True)
class RunEvidence:
    """All that is known of one finished run."""

    summary: RunSummary
    steps: tuple[StepMetrics, ...]
    heldout: tuple[HeldoutPoint, ...]
    """In order of steps, each step once."""
    scores: Mapping[TaskKey, Score]
    numerics: Mapping[str, object]
    """Of the run's manifest."""
    heldout_rows: tuple[HeldoutRows, ...] = ()
    """In order of steps, each step once; empty for a run from before they were kept."""


def read_run(run_folder: Folder, score_folders: Sequence[Folder]) -> RunEvidence:
    """Reads a complete run and its complete score folders.

    Raises IntegrityError for a folder that is not complete, StoreError for a record that is missing or of
    another version; both name the file.
    """
    scores = read_scores(score_folders)
    # A step that was repeated after an interruption is written again; the last writing counts.
    steps = {each.step: each for each in run_folder.read(STEPS, StepMetrics)}
    points = {each.step: each for each in run_folder.read(HELDOUT, HeldoutPoint)}
    rows = {each.step: each for each in run_folder.read(HELDOUT_ROWS, HeldoutRows)}
    return RunEvidence(
        summary=_record(run_folder, SUMMARY, RunSummary),
        steps=tuple(steps[step] for step in sorted(steps)),
        heldout=tuple(points[step] for step in sorted(points)),
        scores=scores,
        numerics=run_folder.manifest().numerics,
        heldout_rows=tuple(rows[step] for step in sorted(rows)),
    )


def read_scores(score_folders: Sequence[Folder]) -> dict[TaskKey, Score]:
    """What complete score folders of one model hold. Raises as `read_run`."""
    scores = {}
    for folder in score_folders:
        folder.manifest()
        result = _record(folder, RESULT, EvalResult)
        items = read_table(folder, ITEMS, ItemScore, columns=PAIRED)
        scores[result.task, result.num_shots] = Score(result, tuple(items))
    return scores


def _record(folder: Folder, name: str, record_type: type[RecordT]) -> RecordT:
    try:
        return record_type.model_validate(folder.read_json(name))
    except FileNotFoundError:
        raise StoreError(f"{folder.path / name} is missing; run that stage again") from None
    except ValidationError as error:
        raise StoreError(f"{folder.path / name} is no {record_type.__name__} of this version: {error}") from error
