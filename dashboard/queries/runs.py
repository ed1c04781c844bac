"""Training runs: what a list of them shows, from summaries alone, and the last step of those that go on."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from dashboard.queries.files import READ_ERRORS, parse, read_json, read_record, reason
from dashboard.queries.folders import Marks, folder_at, folders, marks
from dashboard.queries.lines import last_line
from glam.records import Manifest, RunPlan, RunSummary, StepMetrics
from glam.store.folder import MANIFEST, STATE

SUMMARY, STEPS, PLAN = "summary.json", "steps.jsonl", "plan.json"
OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class RunEntry:
    """A training run, finished or not."""

    name: str
    fingerprint: str
    state: str
    """complete, running, interrupted or broken."""
    started: datetime | None = None
    summary: RunSummary | None = None
    last: StepMetrics | None = None
    """Of a run that is not complete."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Empty: unknown, as the next; an open run says it as training begins."""
    reads: tuple[str, ...] = ()
    planned_flops_per_token: float | None = None
    """Of a run that is not complete."""
    problem: str = ""

    @property
    def title(self) -> str:
        """What choices call it; the same whatever becomes of the run."""
        return f"{self.name} · {self.fingerprint[:8]}"

    @property
    def arm(self) -> str:
        return self.summary.arm if self.summary else self.name.rpartition("-s")[0] or self.name

    @property
    def seed(self) -> int | None:
        if self.summary:
            return self.summary.seed
        digits = self.name.rpartition("-s")[2]
        return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None

    @property
    def num_steps(self) -> int | None:
        """Steps done."""
        if self.summary is None:
            return None if self.last is None else self.last.step
        train = self.config.get("train")
        steps = train.get("num_steps") if isinstance(train, dict) else None
        return steps if isinstance(steps, int) and not isinstance(steps, bool) else None

    @property
    def flops_per_token(self) -> float | None:
        """Training FLOPs per token."""
        return self.summary.flops_per_token if self.summary else self.planned_flops_per_token

    @property
    def loss(self) -> float | None:
        return self.summary.train_loss if self.summary else self.last.loss if self.last else None

    @property
    def tokens_per_second(self) -> float | None:
        known = self.summary or self.last
        return known.tokens_per_second if known else None

    @property
    def elapsed_seconds(self) -> float | None:
        known = self.summary or self.last
        return known.elapsed_seconds if known else None

    @property
    def energy_joules(self) -> float | None:
        known = self.summary or self.last
        return known.energy_joules if known else None


def list_runs(root: Path) -> list[RunEntry]:
    """Every run of the store, the latest first."""
    found = []
    for folder in folders(root, "runs"):
        state = folder.state()
        # Of a complete run the steps are not looked at, of an open one there is no summary.
        names = (SUMMARY,) if state == "complete" else (STEPS, PLAN)
        found.append(_read(str(folder.path), state, marks(folder, names)))
    return sorted(found, key=lambda entry: entry.started or OLDEST, reverse=True)


@lru_cache(maxsize=4_096)
def _read(path: str, state: str, version: Marks) -> RunEntry:  # noqa: ARG001 - a key of the cache
    folder = folder_at(path)
    known: dict[str, Any] = {}
    try:
        if state == "complete":
            manifest = read_record(folder.path / MANIFEST, Manifest)
            known |= {"started": _aware(manifest.started), "config": manifest.config, "reads": tuple(manifest.reads)}
            known["summary"] = read_record(folder.path / SUMMARY, RunSummary)
        else:
            if state != "absent":
                known["started"] = _aware(datetime.fromisoformat(read_json(folder.path / STATE)["started"]))
            with suppress(FileNotFoundError):  # from before there was one, or about to be complete
                plan = read_record(folder.path / PLAN, RunPlan)
                known |= {"config": plan.config, "reads": plan.reads, "planned_flops_per_token": plan.flops_per_token}
            line = last_line(folder.path / STEPS) if (folder.path / STEPS).exists() else None
            known["last"] = None if line is None else StepMetrics.model_validate(parse(line))
    except READ_ERRORS as error:
        state, known["problem"] = "broken", reason(error)
    return RunEntry(folder.reference.label, folder.reference.fingerprint, state, **known)


def _aware(time: datetime) -> datetime:
    """Raises OverflowError at the ends of time."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
