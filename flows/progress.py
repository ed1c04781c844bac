"""How training goes: lines in the log, and a table on the page of the flow run, each every few seconds."""

import logging
import time
from collections.abc import Callable, Sequence

import httpx

from flows.artifacts import Row, Table
from glam.analysis.formats import count, number
from glam.analysis.markdown import plain
from glam.lineage import RunStage
from glam.records import HeldoutPoint, RunSummary, StepMetrics
from glam.store import Store

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_TABLES = 3.0
STEPS, SUMMARY = "steps.jsonl", "summary.json"
DONE, TO_COME, NOT_YET = "done", "to come", "not yet"


class Board:
    """The table of a flow run: a row for each training run, those that were complete before included."""

    def __init__(self, runs: Sequence[RunStage], store: Store):
        self._runs = {each.stage.reference.fingerprint: each for run in runs for each in run}
        self._store = store
        self._rows: dict[str, Row] = {}
        self._table: Table | None = None
        self._shown = 0.0

    def open(self) -> None:
        """Puts the table on the page unless it is there; called by a task, from its own thread."""
        if self._table is None:
            self._rows = {mark: self._first_row(run) for mark, run in self._runs.items()}
            self._table = Table([*self._rows.values()], "How training goes; replaced every few seconds.")

    def update(self, run: RunStage, row: Row, *, last: bool = False) -> None:
        """Replaces a row, and the table on the page once in a while; from any thread."""
        self._rows[run.stage.reference.fingerprint] = row
        if self._table is None or (not last and time.monotonic() - self._shown < SECONDS_BETWEEN_TABLES):
            return
        self._shown = time.monotonic()
        try:
            self._table.show([*self._rows.values()])
        except httpx.HTTPError as error:  # a page that is behind is no reason to stop training
            logging.getLogger("prefect.flow_runs").debug("the table of training was not replaced: %s", error)

    def _first_row(self, run: RunStage) -> Row:
        folder = run.stage.find(self._store)
        if folder is None:
            return row_of(run, None, None, TO_COME)
        heldout = RunSummary.model_validate(folder.read_json(SUMMARY)).heldout_loss
        return row_of(run, folder.read(STEPS, StepMetrics)[-1], heldout, DONE)


class Progress:
    """What one training run tells: a line and a row every few seconds."""

    def __init__(self, run: RunStage, board: Board, log: Callable[[str], None]):
        self._run, self._board, self._log = run, board, log
        self._name = f"{run.arm} seed {run.seed}"
        self._num_steps = run.experiment.train.num_steps
        self._heldout: float | None = None
        self._last = 0.0
        self._skipped = self._rollbacks = 0

    def __call__(self, steps: Sequence[StepMetrics], points: Sequence[HeldoutPoint]) -> None:
        for point in points:
            self._heldout = point.loss
            self._log(f"{self._name}: step {point.step}/{self._num_steps}  held-out loss {point.loss:.4f}")
        if not steps:
            return
        now = steps[-1]
        self._tell_of_faults(now)
        left = time_left(now, self._num_steps)
        last = now.step == self._num_steps
        self._board.update(self._run, row_of(self._run, now, self._heldout, DONE if last else left), last=last)
        if last or time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self._log(
                f"{self._name}: step {now.step}/{self._num_steps}  loss {now.loss:.4f}  "
                f"{now.tokens / now.elapsed_seconds:,.0f} tokens/s  {left} left"
            )

    def _tell_of_faults(self, now: StepMetrics) -> None:
        if now.rollbacks > self._rollbacks:
            self._log(
                f"{self._name}: went wrong and goes on from an earlier checkpoint, now at step {now.step} (roll-back "
                f"{now.rollbacks} of at most {self._run.experiment.train.max_rollbacks}; detours.jsonl says why)"
            )
        if now.skipped_steps > self._skipped:
            self._log(
                f"{self._name}: {now.skipped_steps} steps until step {now.step} had a loss or gradients that are not "
                "finite, and changed nothing"
            )
        self._skipped, self._rollbacks = now.skipped_steps, now.rollbacks


def row_of(run: RunStage, now: StepMetrics | None, heldout: float | None, left: str) -> Row:
    """One run in the table, as Markdown, for so Prefect reads cells."""
    return {
        "arm": plain(run.arm),
        "seed": str(run.seed),
        "step": f"{now.step if now else 0} of {run.experiment.train.num_steps}",
        "loss": number(now.loss) if now else NOT_YET,
        "held-out loss": NOT_YET if heldout is None else number(heldout),
        "tokens/s": count(now.tokens / now.elapsed_seconds) if now else NOT_YET,
        "time left": left,
    }


def time_left(now: StepMetrics, num_steps: int) -> str:
    """Minutes and seconds, or hours before them, at the speed so far."""
    seconds = int((num_steps - now.step) * now.elapsed_seconds / now.step)
    minutes = f"{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{seconds // 3600}:{minutes}" if seconds >= 3600 else minutes.removeprefix("0")
