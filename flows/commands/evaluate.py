"""`glam evaluate`: every task on the runs of a recipe, or on one checkpoint."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from flows.commands.checkpoints import CHECKPOINT_HELP, find_checkpoint, named_by_content
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
from flows.commands.study import DEFAULTS, DryRun, command
from glam.analysis.formats import percent
from glam.analysis.score_table import print_scores
from glam.config import EvalConfig, replace
from glam.evaluation.averages import Averages, averages
from glam.evaluation.benchmark import BenchmarkError
from glam.evaluation.tasks import PUBLISHED
from glam.lineage import Checkpoint, ScoreStage, score_stages
from glam.recipes import RECIPES
from glam.records import EvalResult
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
    shots: Annotated[str | None, typer.Option(metavar="K,...", help="Demonstrations before each item.")] = None,
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
        "shots": _listed(shots, int),
        "benchmarks": None if data is None else str(data.absolute()),
        "seed": seed,
        "prompts": prompts,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    if what in RECIPES and harness is None:
        limits = {} if limit is None else {"max_examples": limit}
        changes = [f"eval.{name}={_written(value)}" for name, value in {**given, **limits}.items()]
        how = [*(run_settings or []), *([] if actors is None else [f"num_eval_actors={actors}"])]
        run = command("evaluate")
        run(what, [*(settings or []), *changes], store, workers, threads, how, dry_run=dry_run, as_json=as_json)
        return
    if settings or run_settings:
        raise ValueError(f"--set and --run are for recipes, and {what!r} is none; known: {', '.join(RECIPES)}")
    opened = open_store(store)
    if harness is not None:
        if dry_run or actors is not None:
            raise ValueError("--harness runs in this process, and at once: leave away --dry-run and --actors")
        _harness(find_checkpoint(opened, what), _listed(harness, str) or (), given, limit, as_json)
        return
    judged = EvalConfig(**{"max_examples": limit, **given})
    checkpoint = named_by_content(opened, find_checkpoint(opened, what))
    scores, failures = _stages(checkpoint, judged)
    if not dry_run:
        failures += _make(scores, opened, actors)
    results = [_result(folder) for score in scores if (folder := score.stage.find(opened)) is not None]
    means = {shots: averages(_for_averages(results, shots)) for shots in sorted({each.num_shots for each in results})}
    if as_json:
        rows = [{**result.model_dump(mode="json"), "failed": None} for result in results]
        rows += [{"task": task, "num_shots": num_shots, "failed": reason} for task, num_shots, reason in failures]
        print_json(
            {"checkpoint": checkpoint.path, "results": rows, "averages": {k: asdict(v) for k, v in means.items()}}
        )
    else:
        print_scores(results, failures, console())
        for num_shots, mean in means.items():
            if judged.prompts == "paper" and (mean.overall.value is not None or tasks == ALL):
                typer.echo(_sentence(num_shots, mean))
    if failures:
        raise typer.Exit(1)


def _stages(checkpoint: Checkpoint, judged: EvalConfig) -> tuple[list[ScoreStage], list[tuple[str, int | None, str]]]:
    """What is to be scored, and (task, shots, reason) of tasks whose files are missing or not right."""
    scores: list[ScoreStage] = []
    failures: list[tuple[str, int | None, str]] = []
    for task in judged.tasks:
        try:
            scores += score_stages(checkpoint, replace(judged, tasks=(task,)))
        except BenchmarkError as error:
            failures.append((task, None, str(error)))
    return scores, failures


def _harness(folder: Path, tasks: tuple[str, ...], given: Mapping[str, Any], limit: int | None, as_json: bool) -> None:
    if unknown := sorted(set(given) - {"shots", "benchmarks"}):
        raise ValueError(f"--harness takes its own wording and draws; leave away {', '.join(unknown)}")
    shots = given.get("shots", ())
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


def _result(folder: Folder) -> EvalResult:
    return EvalResult.model_validate(folder.read_json("result.json"))


def _for_averages(results: Sequence[EvalResult], num_shots: int) -> dict[tuple[str, str], float | None]:
    of_shots = [result for result in results if result.num_shots == num_shots]
    others = {(result.task, name): value for result in of_shots for name, value in result.others.items()}
    return others | {(result.task, result.metric): result.value for result in of_shots}


def _sentence(num_shots: int, mean: Averages) -> str:
    """The paper's averages in words; one that lacks an entry is unknown."""
    parts = {"NLG": mean.groups["NLG"], "NLU": mean.groups["NLU"], "all": mean.overall}
    shown = ", ".join(f"{name} {percent(part.value)}" for name, part in parts.items())
    missing = ", ".join(f"{entry.task} {entry.metric}" for entry in mean.overall.missing)
    return f"{num_shots}-shot averages as the paper's: {shown}" + (f"; without a score: {missing}" if missing else "")


def _make(scores: Sequence[ScoreStage], store: Store, actors: int | None) -> list[tuple[str, int | None, str]]:
    """(task, shots, reason) of what could not be made; nothing heavy is imported where everything is there."""
    missing = [score for score in scores if score.stage.find(store) is None]
    if not missing:
        return []
    from workers.cluster import cluster
    from workers.evaluate import evaluate as evaluate_on_ray

    num_actors = actors or available_cpus()
    os.environ["GLAM_STORE"] = str(store.root)  # where the stack is looked for, whose Ray is taken
    with cluster(cpus_needed=num_actors):
        failed = evaluate_on_ray(
            missing,
            store,
            num_actors=num_actors,
            on_result=lambda score, result: typer.echo(
                f"{score.stage.reference.label}: {'unknown' if result.value is None else f'{result.value:.4f}'}",
                err=True,
            ),
        )
    return [(failure.score.task, failure.score.num_shots, failure.reason) for failure in failed]


def _listed(text: str | None, kind: Callable[[str], Value]) -> tuple[Value, ...] | None:
    if text is None:
        return None
    try:
        return tuple(kind(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no list of numbers such as 0,1,5") from error


def _written(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
