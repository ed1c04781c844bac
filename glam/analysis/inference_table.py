"""What trained models take to write text, in the terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from glam.analysis.formats import UNKNOWN, energy, quantity, ratio
from glam.analysis.inference import BatchComparison, InferenceComparison, unsteady
from glam.records import InferenceResult, Machine

FIGURES = ("tokens/s", "first token", "per token", "FLOPs/token, counted", "weights", "cache", "peak memory")
RATIOS = ("tokens/s", "in the rounds", "first token", "joules/token", "weights", "cache", "peak memory")


def print_inference(
    results: Mapping[str, InferenceResult], comparisons: Sequence[InferenceComparison], console: Console
) -> None:
    """`results` by the arms' names: their figures, then each comparison's ratios and sentences."""
    for machine, settings in dict.fromkeys((each.machine, settings_words(each)) for each in results.values()):
        console.print(f"{machine_words(machine)}; {settings}", highlight=False, markup=False)
    console.print(_figures(results))
    for comparison in comparisons:
        console.print(_ratios(comparison))
        for line in (*(batch.sentence for batch in comparison.batches), *comparison.notes):
            console.print(line, highlight=False, markup=False)
    for line in unsteady(results):
        console.print(line, highlight=False, markup=False)


def machine_words(machine: Machine) -> str:
    """Where it was measured."""
    name = " and ".join(filter(None, (machine.gpu, machine.processor))) or "an unknown processor"
    return f"{name}, {machine.cores} {'core' if machine.cores == 1 else 'cores'}, torch {machine.torch}"


def settings_words(result: InferenceResult) -> str:
    """What was asked."""
    threads = f"{result.threads} {'thread' if result.threads == 1 else 'threads'}"
    return f"{result.prompt_tokens} tokens of prompt ({result.prompts}), {result.new_tokens} new ones, {threads}"


def _figures(results: Mapping[str, InferenceResult]) -> Table:
    table = _table("greedy generation with a cache", ("batch", "arm"), FIGURES)
    for batch_size in sorted({point.batch_size for result in results.values() for point in result.points}):
        for arm, result in results.items():
            for point in result.points:
                if point.batch_size == batch_size:
                    table.add_row(
                        str(batch_size),
                        arm,
                        quantity(point.tokens_per_second),
                        quantity(point.first_token_seconds, "s"),
                        energy(
                            point.joules_per_token,
                            point.low_joules_per_token,
                            point.high_joules_per_token,
                            point.energy_method,
                        ),
                        quantity(point.flops_per_token),
                        quantity(point.weight_bytes, "B"),
                        quantity(point.cache_bytes, "B"),
                        quantity(point.peak_bytes, "B"),
                    )
    return table


def _ratios(comparison: InferenceComparison) -> Table:
    table = _table(f"{comparison.first} over {comparison.second}", ("batch",), RATIOS)
    for batch in comparison.batches:
        table.add_row(
            str(batch.batch_size),
            ratio(batch.tokens_per_second),
            _rounds(batch),
            ratio(batch.first_token_seconds),
            ratio(batch.joules_per_token),
            ratio(batch.weight_bytes),
            ratio(batch.cache_bytes),
            ratio(batch.peak_bytes),
        )
    return table


def _rounds(batch: BatchComparison) -> str:
    low, high = batch.tokens_per_second_low, batch.tokens_per_second_high
    return UNKNOWN if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="", box=None, pad_edge=False)
    for name in names:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table
