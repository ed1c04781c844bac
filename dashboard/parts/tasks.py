"""What tasks and models are called on pages."""

from collections.abc import Iterable, Sequence

from dashboard.charts.tasks import task_name
from dashboard.queries.scores import ScoreEntry, Subject
from glam.config import Shots
from glam.evaluation.averages import number_of
from glam.evaluation.tasks import PUBLISHED
from glam.published import Setting

ABOUT_HELDOUT = "held-out text"


def category(task: str) -> str:
    """GLaM's category of one of its tasks."""
    known = PUBLISHED.get(task)
    return known.paper.category if known is not None and known.paper is not None else ABOUT_HELDOUT


def name_of(task: str) -> str:
    return task.replace("_", " ")


def setting_name(entry: ScoreEntry, entries: Sequence[ScoreEntry]) -> str:
    """A task at a number of shots, with what else was asked where it was scored in several ways."""
    name = task_name(entry.task, entry.num_shots)
    ways = {each.settings for each in entries if (each.task, each.num_shots) == (entry.task, entry.num_shots)}
    return name if len(ways) <= 1 else f"{name} {entry.settings}"


def short_names(subjects: Sequence[Subject]) -> list[str]:
    """Arms where they tell the models apart, for these have colours; else titles."""
    arms = [subject.arm for subject in subjects]
    return arms if len(set(arms)) == len(arms) else [subject.title for subject in subjects]


def setting_of(shots: Shots) -> Setting:
    """The column of published tables."""
    return "zero" if shots == 0 else "one" if shots == 1 else "few"


def shots_name(shots: Shots) -> str:
    """What a choice of shots is called."""
    return "GLaM's few-shot numbers" if shots == "paper" else f"{shots}-shot"


def shots_asked(entries: Iterable[ScoreEntry]) -> list[Shots]:
    """What there is to choose: each number, and the paper's own where a few-shot task has it."""
    numbers = sorted({entry.num_shots for entry in entries})
    as_the_paper = any(entry.num_shots > 1 and is_at(entry, "paper") for entry in entries)
    return [*numbers, "paper"] if as_the_paper else [*numbers]


def is_at(entry: ScoreEntry, shots: Shots) -> bool:
    """Whether a score is of that number of shots; `paper` is another for each task."""
    return entry.num_shots == number_of(entry.task, shots)
