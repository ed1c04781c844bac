"""`glam`: the command line. Exit codes: 0 done, 2 wrong use, 1 failure, 130 interrupted."""

import sys

import typer

from flows.commands import (
    bench,
    benchmarks,
    data,
    evaluate,
    housekeeping,
    inference,
    machine,
    model,
    plan,
    published,
    serve,
    study,
    sync,
)
from flows.refusals import explanation
from flows.server import ServerError
from glam import environment
from infra.stack import StackError

app = typer.Typer(
    name="glam",
    help="Does a sparse mixture-of-experts language model beat a dense one? From raw text to a verdict.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
study.add_to(app)
sync.add_to(app)
evaluate.add_to(app)
machine.add_to(app)
serve.add_to(app)
model.add_to(app)
inference.add_to(app)
published.add_to(app)
plan.add_to(app)
bench.add_to(app)
app.add_typer(data.app, name="data")
app.add_typer(benchmarks.app, name="benchmarks")
app.add_typer(housekeeping.app, name="store")

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Entry point of the `glam` command."""
    environment.apply()
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        code = app(arguments, prog_name="glam", standalone_mode=False)
    except typer.TyperException as error:
        return _explain(error.format_message(), WRONG_USE)
    except (StackError, ServerError) as error:
        return _explain(str(error), FAILED)
    except Exception as error:
        if (words := explanation(error)) is None:
            raise
        return _explain(words, WRONG_USE if isinstance(error, ValueError) else FAILED)
    if code == INTERRUPTED:  # what Typer makes of KeyboardInterrupt
        return _explain("interrupted; the same command goes on where this one stopped", INTERRUPTED)
    return code if isinstance(code, int) else DONE


def _explain(message: str, code: int) -> int:
    if message:
        typer.echo(f"glam: {message}", err=True)
    return code
