"""What `glam evaluate` says of a model: its scores, the paper's averages of them, and what failed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import typer

from flows.commands.options import console
from glam.analysis.formats import percent
from glam.analysis.score_table import Failed, print_scores
from glam.config import EvalConfig, Shots
from glam.evaluation.averages import Averages, averages, scores_at
from glam.evaluation.tasks import PUBLISHED
from glam.records import EvalResult
from glam.store import Folder

RESULT = "result.json"


@dataclass(frozen=True)
class ScoreSheet:
    """The scores of one model."""

    model: str
    """What it is called, or its folder."""
    judged: EvalConfig
    results: Sequence[EvalResult]
    failed: Sequence[Failed]

    @property
    def means(self) -> Mapping[Shots, Averages]:
        """The paper's averages at every number of shots that was asked for."""
        return {shots: averages(scores_at(self.results, shots)) for shots in self.judged.shots}

    def document(self) -> dict[str, Any]:
        """For machines."""
        rows = [{**result.model_dump(mode="json"), "failed": None} for result in self.results]
        rows += [{"task": task, "num_shots": num_shots, "failed": reason} for task, num_shots, reason in self.failed]
        means = {str(shots): asdict(mean) for shots, mean in self.means.items()}
        return {"checkpoint": self.model, "results": rows, "averages": means}

    def show(self, *, title: bool) -> None:
        """For people; averages where there are some, or where all tasks of the paper were asked for."""
        if title:
            typer.secho(f"\n{self.model}", bold=True)
        print_scores(self.results, self.failed, console())
        for shots, mean in self.means.items():
            all_asked = set(PUBLISHED) <= set(self.judged.tasks)
            if self.judged.prompts == "paper" and (mean.overall.value is not None or all_asked):
                typer.echo(_sentence(shots, mean))


def read_result(folder: Folder) -> EvalResult:
    """Of a complete score folder."""
    return EvalResult.model_validate(folder.read_json(RESULT))


def _sentence(shots: Shots, mean: Averages) -> str:
    """The paper's averages in words; one that lacks an entry is unknown."""
    parts = {"NLG": mean.groups["NLG"], "NLU": mean.groups["NLU"], "all": mean.overall}
    shown = ", ".join(f"{name} {percent(part.value)}" for name, part in parts.items())
    missing = ", ".join(f"{entry.task} {entry.metric}" for entry in mean.overall.missing)
    asked = "few-shot (each task at its own number)" if shots == "paper" else f"{shots}-shot"
    return f"{asked} averages as the paper's: {shown}" + (f"; without a score: {missing}" if missing else "")
