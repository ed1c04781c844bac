"""`glam benchmarks`: which published tasks there are, and their files, fetched from the Hugging Face hub.

Tried against a hub on loopback; the real one could not be reached where this was written.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from pydantic import Field, TypeAdapter, ValidationError
from rich.table import Table

from flows.commands.options import AsJson, console, print_json
from glam.config import Config, HubConfig
from glam.evaluation.benchmark import ASKED, POOL, Benchmark, BenchmarkError
from glam.evaluation.names import asks_files
from glam.evaluation.questions import count
from glam.evaluation.task import AskingTask, Generation, HeldoutLikelihood
from glam.evaluation.tasks import TASKS
from glam.store.errors import is_disk_full

SOURCE = "source.json"
"""Beside a task's files: where they come from. Written last, so that where it stands they are whole."""
BY_REQUEST: Mapping[str, str] = {
    "storycloze": "StoryCloze is given out to those who fill in the form at https://cs.rochester.edu/nlp/rocstories/"
}
"""Tasks whose examples the hub does not hold."""

app = typer.Typer(help="Published tasks, and their files.", no_args_is_help=True)

Names = Annotated[str | None, typer.Option("--tasks", metavar="NAME,...", help="Only these tasks.")]


class Pin(Config):
    """Which data set a task is read from, and at which commit."""

    hub: str
    subset: str | None
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")


@app.command("list")
def show(
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Files of the benchmarks: counted, and checked row by row.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every task that asks the files of a benchmark."""
    _show([_described(task, data) for task in _tasks(None)], as_json, counted=data is not None)


@app.command()
def pin(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written; pins of other tasks in it stay.")],
    tasks: Names = None,
    revision: Annotated[str, typer.Option(help="A branch or tag, or a commit's hash to confirm.")] = "main",
    as_json: AsJson = False,
) -> None:
    """Writes down which commit every task's data set has now: what `fetch` asks for.

    One look-up a data set on the hub that HF_ENDPOINT names. Tried against a stub of it; not tried against the hub.
    """
    from glam.data.hub import commit_of  # brings the hub's client, which few commands need

    pins = _pins(file) if file.exists() else {}
    commits: dict[str, str] = {}
    refused: dict[str, str] = {}
    for task in _tasks(tasks):
        source = _source(task)
        try:
            if source.hub not in {*commits, *refused}:
                commits[source.hub] = commit_of(source.hub, revision)
        except ConnectionError as error:
            raise _failed(f"{error}; {file} is as it was") from error
        except ValueError as error:
            refused[source.hub] = str(error)
        if source.hub in commits:
            pins[task.name] = Pin(hub=source.hub, subset=source.subset, revision=commits[source.hub])
    plain = {name: pins[name].model_dump(mode="json") for name in sorted(pins)}
    if commits:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _whole(file) as out:
            out.write(json.dumps(plain, indent=1, sort_keys=True) + "\n")
    if as_json:
        print_json(plain)
    else:
        typer.echo(f"{len(plain)} tasks are pinned in {file}" if plain else "nothing is pinned")
    if refused:
        raise _failed(*refused.values())


@app.command()
def fetch(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Gets TASK/eval.jsonl and TASK/train.jsonl.")],
    pins: Annotated[Path, typer.Option(metavar="FILE", help="What `pin` wrote.")],
    tasks: Names = None,
    as_json: AsJson = False,
) -> None:
    """Downloads the questions and demonstrations of every pinned task; a task that is there already is left alone.

    From the hub that HF_ENDPOINT names, of which no code is run. Tried against a stub of it; not tried against the hub.
    """
    pinned = _pins(pins)
    described = []
    for task in _tasks(",".join(pinned) if tasks is None else tasks):
        try:
            _fetch(task, pinned, folder, pins)
        except (ValueError, OSError) as error:
            if is_disk_full(error):
                raise
            described.append({**_described(task, None), "problem": _named(task, str(error))})
        else:
            described.append(_described(task, folder))
        typer.echo(f"{task.name}: {'FAILED' if described[-1]['problem'] else 'there'}", err=True)
    _show(described, as_json, counted=True)
    if any(each["problem"] for each in described):
        raise typer.Exit(1)


def _fetch(task: AskingTask, pinned: Mapping[str, Pin], folder: Path, pins: Path) -> None:
    """Writes a task's files. Raises ValueError or OSError saying why it cannot."""
    source, into = _source(task), folder / task.name
    if task.name in BY_REQUEST:
        if not (into / f"{ASKED}.jsonl").exists():
            raise ValueError(_how_to_ask(task, into))
        return
    if task.name not in pinned:
        raise ValueError(f"no pin in {pins}; `glam benchmarks pin {pins} --tasks {task.name}` adds it")
    found = pinned[task.name]
    splits = {ASKED: source.split} | ({} if source.pool is None else {POOL: source.pool})
    said = {**found.model_dump(mode="json"), "splits": splits}
    if _there(into, said, splits):
        return

    from glam.data.hub_rows import rows  # brings `datasets`, which takes a second to import

    into.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        for name, split in splits.items():
            hub = HubConfig(id=found.hub, revision=found.revision, subset=found.subset, split=split)
            out = files.enter_context(_whole(into / f"{name}.jsonl"))
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(hub))
        (into / SOURCE).unlink(missing_ok=True)
    with _whole(into / SOURCE) as out:
        out.write(json.dumps(said, indent=1, sort_keys=True) + "\n")


def _there(into: Path, said: Mapping[str, Any], splits: Iterable[str]) -> bool:
    try:
        then = json.loads((into / SOURCE).read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return then == said and all((into / f"{name}.jsonl").exists() for name in splits)


def _how_to_ask(task: AskingTask, into: Path) -> str:
    source = _source(task)
    return (
        f"{BY_REQUEST[task.name]}. Put its {source.split} split as {into / ASKED}.jsonl and its {source.pool} split as "
        f"{into / POOL}.jsonl: a story a line of JSON, with the fields {', '.join(source.fields)}"
    )


def _described(task: AskingTask, data: Path | None) -> dict[str, Any]:
    source, paper = _source(task), task.paper
    found: dict[str, Any] = {
        "task": task.name,
        "category": None if paper is None else paper.category,
        "kind": "written" if isinstance(task, Generation) else "likelihood",
        "metric": task.metric,
        "split": source.split,
        "few_shot": None if paper is None else paper.shots,
        "questions": None,
        "demonstrations": None,
        "problem": None,
    }
    if data is None:
        return found
    try:
        questions, demonstrations = count(task, data)
    except BenchmarkError as error:
        return {**found, "problem": _named(task, str(error))}
    return {**found, "questions": questions, "demonstrations": demonstrations}


def _show(described: Sequence[Mapping[str, Any]], as_json: bool, *, counted: bool) -> None:
    if as_json:
        print_json(described)
        return
    table = Table(box=None, header_style="", pad_edge=False)
    for name in ("task", "category", "kind", "metric", "split"):
        table.add_column(name)
    numbers = ("few_shot", *(("questions", "demonstrations") if counted else ()))
    for name in numbers:
        table.add_column(name.replace("_", "-"), justify="right")
    for each in described:
        texts = [str(each[name] or "-") for name in ("task", "category", "kind", "metric", "split")]
        table.add_row(*texts, *("-" if each[name] is None else f"{each[name]:,}" for name in numbers))
    out = console()
    out.print(table)
    for each in described:
        if each["problem"]:
            out.print(each["problem"], style="red", highlight=False, markup=False, soft_wrap=True)


def _tasks(names: str | None) -> list[AskingTask]:
    known = {name: task for name, task in TASKS.items() if asks_files(name)}
    chosen = list(known) if names is None else [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in known]:
        raise ValueError(f"no benchmark {', '.join(map(repr, unknown))}; known: {', '.join(sorted(known))}")
    return [task for name in chosen if not isinstance(task := known[name], HeldoutLikelihood)]


def _source(task: AskingTask) -> Benchmark:
    assert isinstance(task.source, Benchmark), f"{task.name} asks about held-out text"
    return task.source


def _pins(file: Path) -> dict[str, Pin]:
    try:
        return TypeAdapter(dict[str, Pin]).validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"no file {file}; `glam benchmarks pin {file}` writes it") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"{file} holds no pins as `glam benchmarks pin` writes them: {where} {first['msg']}"
        ) from error


@contextmanager
def _whole(file: Path) -> Iterator[TextIO]:
    """A file that nobody sees before it is whole; one that fails leaves what was there."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        with open(partial, "w", encoding="utf-8") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)


def _named(task: AskingTask, reason: str) -> str:
    return reason if reason.startswith(f"{task.name}:") else f"{task.name}: {reason}"


def _failed(*reasons: str) -> typer.Exit:
    for reason in reasons:
        typer.echo(f"glam: {reason}", err=True)
    return typer.Exit(1)
