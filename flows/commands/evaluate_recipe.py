"""`glam evaluate RECIPE`: every run of a recipe, trained first where it is not there yet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from flows.commands.options import open_store, print_json
from flows.commands.score_sheet import ScoreSheet, read_result
from flows.commands.study import run_flow, show_stages
from flows.refusals import NotAllScored
from glam.analysis.score_table import Failed
from glam.config import EvalConfig
from glam.evaluation.benchmark import BenchmarkError
from glam.evaluation.names import identity, settings_of
from glam.lineage import StudyStages, study_stages
from glam.recipes import recipe as find_recipe
from glam.store import FolderReference, Store
from glam.study import Study, override, run_options


def evaluate_recipe(
    recipe: str,
    settings: Sequence[str],
    store: Path | None,
    workers: int,
    threads: int,
    run_settings: Sequence[str],
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Scores of every arm and seed. A task whose files are missing or not right fails, and takes no other with it."""
    opened, changes, how = open_store(store), [*settings], [*run_settings]
    run_options(workers, threads, how)  # refused before anything starts
    study = override(find_recipe(recipe), changes)
    asked = {name: arm.eval for name, arm in study.arms.items()}
    failed = _unusable(study)
    if failed:
        usable = [task for task in _tasks(study) if task not in {name for name, _, _ in failed}]
        changes.append(f"eval.tasks=[{', '.join(usable)}]")
        study = override(find_recipe(recipe), changes)
    stages = study_stages(study)
    wanted = stages.until("evaluate")
    if dry_run:
        show_stages(wanted, opened, as_json)
        for _, _, reason in failed:
            typer.echo(f"glam: {reason}", err=True)
    else:
        not_scored: dict[FolderReference, str] = {}
        if any(stage.find(opened) is None for stage in wanted):
            try:
                run_flow(opened, recipe, changes, workers, threads, how, "evaluate")
            except NotAllScored as error:
                not_scored = dict(error.reasons)
        sheets = _sheets(stages, asked, opened, failed, not_scored)
        if as_json:
            print_json({"runs": [sheet.document() for sheet in sheets]})
        else:
            for sheet in sheets:
                sheet.show(title=True)
        failed += [(reference.label, None, reason) for reference, reason in not_scored.items()]
    if failed:
        raise typer.Exit(1)


def _unusable(study: Study) -> list[Failed]:
    """(task, None, reason) of tasks whose files are missing or not right. Raises BenchmarkError where no other is left.

    Arms that are asked different tasks are no recipe of ours: there the first such file ends the command.
    """
    failed: list[Failed] = []
    judged = next(iter(study.arms.values())).eval
    if any(arm.eval != judged for arm in study.arms.values()):
        return failed
    last: BenchmarkError | None = None
    for task in judged.tasks:
        try:
            identity(task, settings_of(task, judged))
        except BenchmarkError as error:
            last = error
            failed.append((task, None, str(error)))
    if last is not None and len(failed) == len(judged.tasks):
        raise last
    return failed


def _tasks(study: Study) -> tuple[str, ...]:
    return next(iter(study.arms.values())).eval.tasks


def _sheets(
    stages: StudyStages,
    asked: Mapping[str, EvalConfig],
    store: Store,
    failed: Sequence[Failed],
    not_scored: Mapping[FolderReference, str],
) -> list[ScoreSheet]:
    """One a run."""
    sheets = []
    for run in stages.runs:
        results, missing = [], list(failed)
        for score in (each for each in stages.scores if each.subject is run):
            if (folder := score.stage.find(store)) is not None:
                results.append(read_result(folder))
            else:
                reason = not_scored.get(score.stage.reference, "it was not scored")
                missing.append((score.task, score.num_shots, reason))
        sheets.append(ScoreSheet(run.stage.reference.label, asked[run.arm], results, missing))
    return sheets
