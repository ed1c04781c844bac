"""`glam`: the command line. Exit codes: 0 done, 2 wrong use, 1 failure, 130 interrupted."""

import sys

import typer
from pydantic import ValidationError

from flows.commands import bench, benchmarks, data, evaluate, housekeeping, machine, model, study
from flows.refusals import REFUSALS
from flows.server import ServerError
from glam import environment
from glam.store.errors import DISK_FULL, is_disk_full
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
evaluate.add_to(app)
machine.add_to(app)
model.add_to(app)
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
    except ValidationError as error:
        return _explain("; ".join(_sentence(each) for each in error.errors()), WRONG_USE)
    except ValueError as error:
        return _explain(str(error), WRONG_USE)
    except (*REFUSALS, StackError, ServerError) as error:
        return _explain(str(error), FAILED)
    except Exception as error:
        if is_disk_full(error):
            return _explain(DISK_FULL, FAILED)
        raise
    if code == INTERRUPTED:  # what Typer makes of KeyboardInterrupt
        return _explain("interrupted; the same command goes on where this one stopped", INTERRUPTED)
    return code if isinstance(code, int) else DONE


def _explain(message: str, code: int) -> int:
    if message:
        typer.echo(f"glam: {message}", err=True)
    return code


def _sentence(error: object) -> str:
    assert isinstance(error, dict)
    place = ".".join(str(part) for part in error["loc"])
    value = f" (given: {error['input']!r})" if place and "input" in error else ""
    return f"{place}: {error['msg']}{value}" if place else str(error["msg"])
