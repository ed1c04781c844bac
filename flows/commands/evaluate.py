"""`glam evaluate`: every task on the runs of a recipe, or on one checkpoint."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from flows.commands.checkpoints import CHECKPOINT_HELP, find_checkpoint, named_by_content
from flows.commands.evaluate_recipe import evaluate_recipe
from flows.commands.options import (
    AsJson,
    RunSettings,
    Settings,
    StorePath,
    Threads,
    Workers,
    console,
    open_store,
    print_json,
)
from flows.commands.score_sheet import ScoreSheet, read_result
from flows.commands.study import DEFAULTS, DryRun
from glam.analysis.score_table import Failed
from glam.config import EvalConfig, Shots, replace
from glam.evaluation.benchmark import BenchmarkError
from glam.evaluation.tasks import PUBLISHED
from glam.lineage import Checkpoint, ScoreStage, score_stages
from glam.recipes import RECIPES
from glam.store import Folder, Store
from infra.processors import available_cpus

ALL = "all"
Value = TypeVar("Value")


def add_to(app: typer.Typer) -> None:
    """Puts this command on the command line."""
    app.command()(evaluate)


def evaluate(
    what: Annotated[
        str,
        typer.Argument(metavar="RECIPE|CHECKPOINT", help=f"A recipe, whose runs are trained first. {CHECKPOINT_HELP}"),
    ] = "quickstart",
    tasks: Annotated[
        str | None, typer.Option(metavar="NAME,...", help=f"Tasks; `{ALL}` are the paper's {len(PUBLISHED)}.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="CHECKPOINT", help="A second one, scored on the same items and compared with, by pairs."),
    ] = None,
    shots: Annotated[
        str | None,
        typer.Option(metavar="K,...", help="Demonstrations before each item; `paper`: of each task GLaM's few."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Files of the benchmarks: TASK/eval.jsonl, TASK/train.jsonl.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Items of each task, drawn by seed; default: all, of a recipe what it says."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides which items and demonstrations are drawn.")] = None,
    prompts: Annotated[
        str | None, typer.Option(metavar="paper|harness", help="Whose wording and scoring, where both have a task.")
    ] = None,
    harness: Annotated[
        str | None,
        typer.Option(
            metavar="TASK,...", help="Tasks of lm-evaluation-harness instead (extra lm-eval), run by our engine."
        ),
    ] = None,
    actors: Annotated[int | None, typer.Option(min=1, help="Processes of one thread; default: one a core.")] = None,
    settings: Settings = None,
    store: StorePath = None,
    workers: Workers = DEFAULTS.num_workers,
    threads: Threads = DEFAULTS.threads_per_worker,
    run_settings: RunSettings = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Score a checkpoint, or every run of a recipe, on every task at every number of shots."""
    chosen = {
        "tasks": _listed(tasks, str) if tasks != ALL else tuple(PUBLISHED),
        "shots": _listed(shots, _shots),
        "benchmarks": None if data is None else str(data.absolute()),
        "seed": seed,
        "prompts": prompts,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    if what in RECIPES and harness is None:
        if against is not None:
            raise ValueError(
                f"--against is for two checkpoints; `glam compare {what}` holds the arms of a recipe together"
            )
        limits = {} if limit is None else {"max_examples": limit}
        changes = [f"eval.{name}={_written(value)}" for name, value in {**given, **limits}.items()]
        how = [*(run_settings or []), *([] if actors is None else [f"num_eval_actors={actors}"])]
        evaluate_recipe(
            what, [*(settings or []), *changes], store, workers, threads, how, dry_run=dry_run, as_json=as_json
        )
        return
    if settings or run_settings:
        raise ValueError(f"--set and --run are for recipes, and {what!r} is none; known: {', '.join(RECIPES)}")
    opened = open_store(store)
    if harness is not None:
        if dry_run or actors is not None or against is not None:
            raise ValueError("--harness runs one model in this process: leave away --dry-run, --actors and --against")
        _harness(find_checkpoint(opened, what), _listed(harness, str) or (), given, limit, as_json)
        return
    judged = EvalConfig(**{"max_examples": limit, **given})
    names = [what] if against is None else [what, against]
    planned = {name: _Planned.of(named_by_content(opened, find_checkpoint(opened, name)), judged) for name in names}
    if against is not None and len({each.checkpoint.weights_sha256 for each in planned.values()}) == 1:
        raise ValueError(f"{what!r} and {against!r} are the same model: there is nothing to compare")
    if not dry_run:
        _make([score for each in planned.values() for score in each.scores], planned.values(), opened, actors)
    sheets = [each.sheet(judged, opened) for each in planned.values()]
    if against is None:
        _show(sheets[0], as_json)
    else:
        _compare(planned, sheets, opened, as_json)
    if any(sheet.failed for sheet in sheets):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Planned:
    """What is to be scored of a checkpoint, and what cannot be."""

    checkpoint: Checkpoint
    scores: tuple[ScoreStage, ...]
    failed: list[Failed]

    @classmethod
    def of(cls, checkpoint: Checkpoint, judged: EvalConfig) -> "_Planned":
        """A task whose files are missing or not right has failed already, and takes no other with it."""
        scores: list[ScoreStage] = []
        failed: list[Failed] = []
        for task in judged.tasks:
            try:
                scores += score_stages(checkpoint, replace(judged, tasks=(task,)))
            except BenchmarkError as error:
                failed.append((task, None, str(error)))
        return cls(checkpoint, tuple(scores), failed)

    def folders(self, store: Store) -> list[Folder]:
        """Of the scores that are there."""
        return [folder for score in self.scores if (folder := score.stage.find(store)) is not None]

    def sheet(self, judged: EvalConfig, store: Store) -> ScoreSheet:
        """What is there by now."""
        return ScoreSheet(self.checkpoint.path, judged, list(map(read_result, self.folders(store))), self.failed)


def _show(sheet: ScoreSheet, as_json: bool) -> None:
    if as_json:
        print_json(sheet.document())
    else:
        sheet.show(title=False)


def _compare(planned: Mapping[str, _Planned], sheets: Sequence[ScoreSheet], store: Store, as_json: bool) -> None:
    """Two models on the same items."""
    # Half a second of imports that one model alone does not need.
    from glam.analysis.comparison import Judged, compare_models
    from glam.analysis.evidence import read_scores
    from glam.analysis.table import print_comparison

    labels = [each.checkpoint.label for each in planned.values()]
    names = labels if len(set(labels)) == len(labels) else list(planned)
    first, second = (
        Judged(name, {0: read_scores(each.folders(store))}) for name, each in zip(names, planned.values(), strict=True)
    )
    comparison = compare_models(first, second)
    if as_json:
        print_json(
            {
                "models": {name: sheet.document() for name, sheet in zip(names, sheets, strict=True)},
                "comparison": comparison.model_dump(mode="json"),
            }
        )
        return
    for sheet in sheets:
        sheet.show(title=True)
    typer.echo()
    print_comparison(comparison, console())


def _harness(folder: Path, tasks: tuple[str, ...], given: Mapping[str, Any], limit: int | None, as_json: bool) -> None:
    if unknown := sorted(set(given) - {"shots", "benchmarks"}):
        raise ValueError(f"--harness takes its own wording and draws; leave away {', '.join(unknown)}")
    shots = given.get("shots", ())
    if "paper" in shots:
        raise ValueError("--harness has other tasks than the paper: say a number of shots")
    if len(shots) > 1:
        raise ValueError(f"--harness runs one number of shots at a time, not {list(shots)}")
    if find_spec("lm_eval") is None:
        raise ValueError("lm-evaluation-harness is not installed: pip install 'glam[lm-eval]'")
    import torch
    from lm_eval.utils import make_table

    from workers.harness import HarnessModel, run_each
    from workers.judged import JudgedModel

    torch.set_num_threads(available_cpus())
    model = HarnessModel(JudgedModel(folder))
    data = None if "benchmarks" not in given else Path(given["benchmarks"])
    found, failures = run_each(model, tasks, num_shots=shots[0] if shots else None, limit=limit, data=data)
    if as_json:
        results = {**found["results"], **{task: {"failed": reason} for task, reason in failures.items()}}
        print_json({"checkpoint": str(folder), "num_cut": model.num_cut, "results": results})
    else:
        if found["results"]:
            typer.echo(make_table(found))
        if model.num_cut:
            typer.echo(
                f"{model.num_cut} prompts were too long for the model and lost their beginning, as the harness does it"
            )
        for task, reason in failures.items():
            typer.echo(f"glam: {task} failed: {reason}", err=True)
    if failures:
        raise typer.Exit(1)


def _make(scores: Sequence[ScoreStage], planned: Iterable[_Planned], store: Store, actors: int | None) -> None:
    """Notes what failed where it was planned; nothing heavy is imported where everything is there."""
    missing = [score for score in scores if score.stage.find(store) is None]
    if not missing:
        return
    from workers.cluster import cluster
    from workers.evaluate import evaluate as evaluate_on_ray

    num_actors = actors or available_cpus()
    os.environ["GLAM_STORE"] = str(store.root)  # where the stack is looked for, whose Ray is taken
    with cluster(cpus_needed=num_actors):
        failures = evaluate_on_ray(
            missing,
            store,
            num_actors=num_actors,
            on_result=lambda score, result: typer.echo(
                f"{score.stage.reference.label}: {'unknown' if result.value is None else f'{result.value:.4f}'}",
                err=True,
            ),
        )
    for each in planned:
        each.failed.extend(
            (failure.score.task, failure.score.num_shots, failure.reason)
            for failure in failures
            if failure.score in each.scores
        )


def _listed(text: str | None, kind: Callable[[str], Value]) -> tuple[Value, ...] | None:
    if text is None:
        return None
    try:
        return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no list such as 0,1,5 or 0,1,paper") from error


def _shots(text: str) -> Shots:
    return "paper" if text == "paper" else int(text)


def _written(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
