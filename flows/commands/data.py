"""`glam data`: what there is to read, and what was made of it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from flows.commands.options import AsJson, StorePath, console, open_store, print_json
from glam.store import Folder, Store

STEPS = ("extracted", "quality", "exact_duplicate", "near_duplicate", "train", "heldout")

app = typer.Typer(help="What there is to read, and what was made of it.", no_args_is_help=True)


@app.command()
def pin(
    dataset: Annotated[str, typer.Argument(metavar="ID", help="A data set of the Hugging Face hub, as owner/name.")],
    revision: Annotated[str, typer.Option(help="A branch or tag, or a commit's hash to confirm.")] = "main",
    as_json: AsJson = False,
) -> None:
    """The hash of the commit that a revision means now: what data.source.hub.revision asks for.

    One look-up on the hub that HF_ENDPOINT names. Tried against a stub of it; not tried against the hub.
    """
    from glam.data.hub import commit_of  # brings the hub's client, which no other command needs

    try:
        commit = commit_of(dataset, revision)
    except ConnectionError as error:
        typer.echo(f"glam: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        print_json({"id": dataset, "revision": revision, "commit": commit})
    else:
        typer.echo(commit)


@app.command()
def show(
    shards: Annotated[str, typer.Argument(metavar="SHARDS", help="Shards of the store by label, fingerprint or both.")],
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """What became of the text: by source and reason, the mixture, the classifier, overlap, examples by score."""
    from glam.data.summary import summarize

    opened = open_store(store)
    summary = summarize(find_shards(opened, shards), opened)
    if as_json:
        print_json(summary.model_dump(mode="json"))
        return
    out = console()
    facts, selection = summary.shards, summary.selection
    out.print(
        f"{facts.num_tokens:,} tokens of {facts.num_documents:,} documents in {facts.num_rows:,} rows of "
        f"{facts.sequence_length}; vocabulary {facts.vocab_size:,}\n"
    )
    _print(
        out,
        "of an epoch",
        ("kind", "weight", "tokens there are", "tokens of an epoch", "repeats"),
        [
            (k.name, f"{k.weight:.3f}", f"{k.num_tokens:,}", f"{k.tokens_of_epoch:,}", f"{k.repeats:.2f}")
            for k in facts.kinds
        ],
    )
    _print(
        out,
        "left after each step",
        ("step", "documents", "MB"),
        [(step, f"{selection.steps[step].documents:,}", f"{selection.steps[step].bytes / 1e6:,.2f}") for step in STEPS],
    )
    sources = sorted({source for counts in selection.dropped.values() for source in counts})
    _print(
        out,
        "dropped",
        ("reason", *sources),
        [
            (reason, *(f"{counts.get(source, 0):,}" for source in sources))
            for reason, counts in selection.dropped.items()
        ],
    )
    auc = "unknown" if summary.classifier.auc is None else f"{summary.classifier.auc:.3f}"
    out.print(f"quality classifier: {summary.classifier.skipped or f'AUC {auc} on documents it was not trained on'}")
    share = selection.overlap.ngram_fraction
    out.print(
        f"held out: {selection.steps['heldout'].documents:,} documents of {len(selection.heldout_units):,} units; "
        f"{'unknown' if share is None else f'{share:.2%}'} of their {selection.overlap.ngram}-grams stand in the "
        "training side too\n"
    )
    _print(
        out,
        "benchmarks touched",
        ("task", "examples", "too short", "touched", "share"),
        [
            (
                each.task,
                str(each.num_examples),
                str(each.num_short),
                str(each.num_touched),
                "unknown" if each.touched_fraction is None else f"{each.touched_fraction:.1%}",
            )
            for each in selection.benchmarks
        ],
    )
    for each in summary.examples:
        verdict = "kept" if each.kept else "dropped"
        out.print(f"[bold]score {each.score:.2f}, {verdict}[/bold] ({escape(each.source)})", highlight=False)
        out.print("  " + " ".join(each.text.split())[:200], markup=False, highlight=False)


@app.command()
def sample(
    shards: Annotated[str, typer.Argument(metavar="SHARDS", help="Shards of the store by label, fingerprint or both.")],
    source: Annotated[str | None, typer.Option(metavar="KIND", help="Only documents of this kind.")] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="How many documents.")] = 3,
    seed: Annotated[int, typer.Option(help="Decides which.")] = 0,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Documents drawn at random, as a model gets them."""
    from glam.data.summary import sample as draw_documents

    opened = open_store(store)
    drawn = list(draw_documents(find_shards(opened, shards), opened, num_documents=number, source=source, seed=seed))
    if as_json:
        print_json([each._asdict() for each in drawn])
        return
    for each in drawn:
        typer.echo(typer.style(f"document {each.number}, {each.source}, {each.num_tokens} tokens", bold=True))
        typer.echo(each.text + "\n")


def find_shards(store: Store, name: str) -> Folder:
    """The complete shards that a person means. Raises ValueError where there are none, or several."""
    found = [folder for folder in store.named("shards", name) if folder.complete]
    if len(found) != 1:
        known = ", ".join(folder.path.name for folder in (found or store.folders("shards")) if folder.complete)
        raise ValueError(
            f"{name!r} names {'several' if found else 'no'} shards in {store.root}: {known or 'none there'}"
        )
    return found[0]


def _print(out: Console, title: str, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    columns = (Column(escape(each), justify="right") for each in headings[1:])
    table = Table(headings[0], *columns, title=title, box=None)
    table.title_justify = "left"
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)
    out.print()
