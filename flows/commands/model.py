"""Commands about models: generate, counts, certify."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from flows.commands.checkpoints import CHECKPOINT_HELP, find_checkpoint
from flows.commands.options import AsJson, StorePath, console, open_store, print_json
from glam.counting import count
from glam.model.generation_config import GenerationConfig
from glam.variants import VARIANTS, variant

DEFAULTS = GenerationConfig()


def add_to(app: typer.Typer) -> None:
    """Puts these commands on the command line."""
    app.command()(generate)
    app.command()(counts)
    app.command()(certify)


def certify(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A complete run of the store by label or fingerprint.")],
    seed: Annotated[int, typer.Option(help="Decides at which steps it is killed.")] = 0,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Make a run again, kill it twice on the way, and compare the bits. Exit code 1 when they differ."""
    from workers.certify import certify as make_again

    opened = open_store(store)
    found = [folder for folder in opened.named("runs", run) if folder.complete]
    if len(found) != 1:
        known = ", ".join(folder.path.name for folder in (found or opened.folders("runs")) if folder.complete)
        raise ValueError(f"{run!r} names {'several' if found else 'no'} runs in {opened.root}: {known or 'none there'}")
    certificate = make_again(found[0], opened, seed=seed, log=lambda line: typer.echo(line, err=True))
    if as_json:
        print_json({**certificate.model_dump(mode="json"), "same": certificate.same})
    else:
        table = Table("", "straight", "killed and resumed", box=None)
        table.add_row("killed after steps", "-", ", ".join(map(str, certificate.killed_at)))
        table.add_row("went on from steps", "-", ", ".join(map(str, certificate.resumed_from)))
        table.add_row("text, in order", certificate.stream_hash[:16], certificate.stream_hash_again[:16])
        table.add_row("weights", certificate.weights_sha256[:16], certificate.weights_sha256_again[:16])
        console().print(table)
        typer.echo("the same to the last bit" if certificate.same else "NOT the same")
    if not certificate.same:
        raise typer.Exit(1)


def generate(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help=CHECKPOINT_HELP,
        ),
    ],
    prompt: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Text to go on from; repeatable.")] = None,
    prompt_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="More prompts, one a line.", exists=True, dir_okay=False)
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(help="New tokens of each prompt.")] = DEFAULTS.max_new_tokens,
    temperature: Annotated[float, typer.Option(help="0 is greedy; above it samples.")] = DEFAULTS.temperature,
    top_k: Annotated[int | None, typer.Option(help="Sample among the so many likeliest.")] = DEFAULTS.top_k,
    top_p: Annotated[float, typer.Option(help="Sample among the likeliest of this probability.")] = DEFAULTS.top_p,
    beams: Annotated[int, typer.Option(help="Beam search of this width.")] = DEFAULTS.num_beams,
    length_penalty: Annotated[
        float, typer.Option(help="Beams rank by log-probability / length ** penalty.")
    ] = DEFAULTS.length_penalty,
    stop: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="End before this text; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Decides what is sampled.")] = DEFAULTS.seed,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Continue prompts with a trained model."""
    prompts = _prompts(prompt or [], prompt_file)
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        num_beams=beams,
        length_penalty=length_penalty,
        stop=tuple(stop or ()),
        seed=seed,
    )
    folder = find_checkpoint(open_store(store), checkpoint)

    from glam.data.tokenizer import Tokenizer
    from glam.model.generation import complete
    from glam.model.saved import load_model

    texts = complete(load_model(folder), Tokenizer.load(folder), prompts, config)
    if as_json:
        completions = [{"prompt": prompt, "text": text} for prompt, text in zip(prompts, texts, strict=True)]
        print_json({"checkpoint": str(folder), "config": config.model_dump(), "completions": completions})
        return
    for number, (given, text) in enumerate(zip(prompts, texts, strict=True)):
        typer.echo(("\n" if number else "") + typer.style(given, bold=True) + text)


def counts(
    variants: Annotated[list[str] | None, typer.Argument(metavar="[VARIANT]...", help="Default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Parameters and FLOPs of the models that have a name."""
    rows = [{"variant": name, **count(variant(name)).as_row()} for name in variants or VARIANTS]
    if as_json:
        print_json(rows)
        return
    columns = {
        "total_params": "parameters",
        "active_params": "active",
        "forward_flops_per_token": "FLOPs/token forward",
        "training_flops_per_token": "FLOPs/token training",
        "weight_bytes_float32": "bytes in float32",
    }
    table = Table("variant", *(Column(title, justify="right") for title in columns.values()), box=None)
    for row in rows:
        table.add_row(str(row["variant"]), *(f"{row[name]:,}" for name in columns))
    console().print(table)


def _prompts(given: Sequence[str], file: Path | None) -> list[str]:
    prompts = list(given)
    if file is not None:
        prompts += [line for line in file.read_text("utf-8").split("\n") if line]
    if not prompts:
        raise ValueError("nothing to go on from: give --prompt TEXT or --prompt-file FILE")
    return prompts
