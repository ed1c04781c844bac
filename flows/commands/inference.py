"""`glam inference`: how fast, at what energy and in how much memory trained models write text."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.checkpoints import CHECKPOINT_HELP, find_checkpoint, named_by_content
from flows.commands.options import AsJson, Settings, StorePath, console, open_store, print_json
from glam.analysis.inference import compare_inference, unsteady
from glam.analysis.inference_table import print_inference
from glam.config import ModelConfig
from glam.inference import RESULT, InferenceConfig
from glam.lineage import Checkpoint, InferenceStage, inference_stage, measured_elsewhere, study_stages
from glam.recipes import RECIPES
from glam.recipes import recipe as find_recipe
from glam.records import InferenceResult, Machine
from glam.store import Folder, FolderReference, Store, StoreError
from glam.study import override
from infra.processors import available_cpus, require_cpus

DEFAULTS = InferenceConfig()


def add_to(app: typer.Typer) -> None:
    """Puts this command on the command line."""
    app.command()(inference)


def inference(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|CHECKPOINT",
            help=f"A recipe, of whose trained arms the first seed is taken. {CHECKPOINT_HELP}",
        ),
    ] = "quickstart",
    batch: Annotated[str, typer.Option(metavar="N,...", help="Rows that are written at once.")] = ",".join(
        map(str, DEFAULTS.batch_sizes)
    ),
    prompt_tokens: Annotated[int, typer.Option(help="Of every row.")] = DEFAULTS.prompt_tokens,
    new_tokens: Annotated[int, typer.Option(help="That every row writes.")] = DEFAULTS.new_tokens,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: one a core.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="On a GPU; untested, there was none to try it on.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Measure on this machine although another was measured.")
    ] = False,
    settings: Settings = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Measure how trained models write text, arms by turns; the machine should have nothing else to do."""
    measured = InferenceConfig(
        batch_sizes=tuple(sorted(set(_numbers(batch)))),
        prompt_tokens=prompt_tokens,
        new_tokens=new_tokens,
        threads=threads or available_cpus(),
        use_gpu=gpu,
    )
    opened = open_store(store)
    checkpoints, pairs = _subjects(what, settings or [], opened)
    for name, checkpoint in checkpoints.items():
        model = ModelConfig.model_validate_json((Path(checkpoint.path) / "model.json").read_bytes())
        measured.check_room(model, name)
    machine = _this_machine(gpu)
    stages = {
        name: inference_stage(checkpoint, measured, machine, _run_of(checkpoint, opened))
        for name, checkpoint in checkpoints.items()
    }
    folders = _found(stages, opened, again) or _made(stages, opened)
    results = {name: _result(folder) for name, folder in folders.items()}
    comparisons = [compare_inference(one, results[one], two, results[two]) for one, two in pairs]
    if as_json:
        print_json(
            {
                "results": {
                    name: {"folder": str(folders[name].path), **result.model_dump(mode="json")}
                    for name, result in results.items()
                },
                "comparisons": [comparison.model_dump(mode="json") for comparison in comparisons],
                "notes": unsteady(results),
            }
        )
        return
    print_inference(results, comparisons, console())


def _subjects(what: str, settings: Sequence[str], store: Store) -> tuple[dict[str, Checkpoint], list[tuple[str, str]]]:
    """Checkpoints by name, and the pairs of names that are compared."""
    if what not in RECIPES:
        if settings:
            raise ValueError(f"--set is for recipes, and {what!r} is none; known: {', '.join(RECIPES)}")
        checkpoint = named_by_content(store, find_checkpoint(store, what))
        return {checkpoint.label: checkpoint}, []
    study = override(find_recipe(what), settings)
    checkpoints = {}
    for run in study_stages(study).runs:
        folder = run.stage.find(store)
        if folder is not None and run.seed == study.seeds_of(run.arm)[0]:
            checkpoints[run.arm] = named_by_content(store, folder.path)
    if missing := [arm for arm in study.arms if arm not in checkpoints]:
        typer.echo(f"not trained in {store.root}: {', '.join(missing)}", err=True)
    if not checkpoints:
        raise ValueError(f"no arm of {what!r} is trained in {store.root}; glam train {what}")
    return checkpoints, [pair for pair in study.compared if set(pair) <= set(checkpoints)]


def _found(stages: Mapping[str, InferenceStage], store: Store, again: bool) -> dict[str, Folder]:
    """Complete folders of all arms, this machine's or (unless `again`) another's; empty where there are none."""
    here = {name: folder for name, stage in stages.items() if (folder := stage.stage.find(store)) is not None}
    if here or again:
        return here if len(here) == len(stages) else {}
    by_machine: dict[str, dict[str, Folder]] = {}
    for name, stage in stages.items():
        for folder in measured_elsewhere(stage.stage, store):
            by_machine.setdefault(str(folder.manifest().config["machine"]), {})[name] = folder
    found = next((found for found in by_machine.values() if len(found) == len(stages)), {})
    if found:
        typer.echo("measured on another machine; --again measures on this one", err=True)
    return found


def _made(stages: Mapping[str, InferenceStage], store: Store) -> dict[str, Folder]:
    missing = [stage for stage in stages.values() if stage.stage.find(store) is None]
    threads = missing[0].measured.threads
    require_cpus(threads)
    from workers.cluster import cluster
    from workers.inference import measure

    with cluster(cpus_needed=threads):
        measure(
            missing,
            store,
            on_point=lambda stage, point: typer.echo(
                f"{stage.subject.label}, batch {point.batch_size}: {point.tokens_per_second:,.0f} tokens/s", err=True
            ),
        )
    return {name: store.open("inference", stage.stage.reference.fingerprint) for name, stage in stages.items()}


def _result(folder: Folder) -> InferenceResult:
    try:
        return InferenceResult.model_validate(folder.read_json(RESULT))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder.path / RESULT} is no measurement of this version: {error}") from error


def _run_of(checkpoint: Checkpoint, store: Store) -> FolderReference | None:
    named = store.named("runs", Path(checkpoint.path).name)
    return next((folder.reference for folder in named if str(folder.path) == checkpoint.path), None)


def _this_machine(gpu: bool) -> Machine:
    name = None
    if gpu:
        import torch

        if not torch.cuda.is_available():
            raise ValueError("--gpu: torch finds no GPU on this machine")
        name = torch.cuda.get_device_name()
    from glam.bench.machine import processor

    return Machine(processor=processor(), gpu=name, cores=available_cpus(), torch=version("torch"))


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ValueError(f"--batch {text!r} is no list of numbers such as 1,8,64") from error
