"""Plans as tables for people."""

from collections.abc import Iterable, Mapping

import typer
from rich.table import Column, Table

from flows.commands.options import console
from glam.analysis.formats import UNKNOWN, percent, quantity
from glam.plan.held_against import Row
from glam.plan.plan import Plan

WH_PER_MWH = 1e6
MEMORY = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "optimizer",
    "casts": "16-bit copies of weights",
    "gathered": "gathered parameters",
    "activations": "activations",
    "logits": "logits and loss",
    "update": "the optimizer's step",
    "checkpoint": "the checkpoint being written",
    "process": "the process itself",
}


def print_plan(plan: Plan) -> None:
    """All of one plan."""
    facts = Table("", "", box=None, show_header=False)
    for name, value in _facts(plan):
        facts.add_row(name, value)
    console().print(facts)
    parts = Table("memory of a device", Column("GB", justify="right"), box=None)
    for name, title in MEMORY.items():
        if size := getattr(plan.memory, name):
            parts.add_row(title, f"{size / 1e9:,.2f}")
    moment = "while the loss is made" if plan.memory.moment == "loss" else "while the optimizer steps"
    parts.add_row(f"at most at once, {moment}", f"{plan.memory.peak / 1e9:,.2f}")
    parts.add_row("a row of text being generated", f"{plan.generation_cache_bytes_per_row / 1e9:,.2f}")
    console().print(parts)
    work = Table(
        "part of a step", Column("seconds", justify="right"), "bound by", Column("GB", justify="right"), box=None
    )
    for part in plan.step.parts:
        if part.seconds:
            work.add_row(part.name, f"{part.seconds:.3g}", part.bound, f"{part.bytes_moved / 1e9:,.1f} moved")
    for each in plan.step.exchanges:
        where = "inside a node" if each.inside_node else "between nodes"
        beside = ", beside computation" if each.overlapped else ""
        sent = f"{each.bytes_sent / 1e9:,.1f} sent"
        work.add_row(f"{each.kind}: {each.of}", f"{each.seconds:.3g}", f"{each.group:,} devices, {where}{beside}", sent)
    if plan.step.bubble:
        work.add_row("pipeline fills and drains", f"{plan.step.bubble:.3g}", "", "")
    work.add_row("a step", f"{plan.step.seconds:.3g}", "", "")
    console().print(work)
    _print_notes([plan])


def print_arms(arms: Mapping[str, tuple[Plan, int, int]]) -> None:
    """(plan of one run, runs, runs to do) by arm."""
    columns = (
        "tokens",
        "layout",
        "GB a device",
        "s/step",
        "tokens/s",
        "MFU",
        "hours a run",
        "energy a run",
        "runs to do",
    )
    table = Table("arm", *(Column(name, justify="right") for name in columns), box=None)
    for name, (plan, num_runs, num_to_run) in arms.items():
        table.add_row(
            name,
            quantity(plan.tokens),
            str(plan.layout),
            f"{plan.memory.peak / 1e9:,.2f}",
            f"{plan.step.seconds:.3g}",
            f"{plan.tokens_per_second:,.0f}",
            percent(plan.mfu),
            f"{plan.hours:.3g}",
            _energy(plan.machine_mwh),
            f"{num_to_run} of {num_runs}",
        )
    console().print(table)
    hours = sum(plan.hours * num_to_run for plan, _, num_to_run in arms.values())
    device = next(iter(arms.values()))[0].device
    typer.echo(f"Training that is to do: {hours:.3g} h on {device}; other steps are not reckoned.")
    _print_notes([plan for plan, _, _ in arms.values()])


def print_held_against(rows: Iterable[Row]) -> None:
    """Ours beside what was published; why a row misses its tolerance stands below."""
    right = {name: Column(name, justify="right") for name in ("published", "ours", "deviation")}
    table = Table("run", "what", "kind", *right.values(), "tolerance", "", "from", box=None)
    missed: dict[str, list[str]] = {}
    for row in rows:
        table.add_row(
            row.run,
            f"{row.what} {row.unit}".strip(),
            row.kind,
            f"{row.published:.4g}",
            f"{row.ours:.4g}",
            f"{100 * row.deviation:+.1f} %",
            f"{100 * row.tolerance:g} %",
            "within" if row.within else "missed",
            row.inputs,
        )
        if row.note is not None:
            missed.setdefault(row.note, []).append(f"{row.run}, {row.what}{'' if row.within else ' (missed)'}")
    console().print(table)
    for note, names in missed.items():
        typer.echo(f"{'; '.join(names)}: {note}")


def _facts(plan: Plan) -> Iterable[tuple[str, str]]:
    share = f", {plan.active_params:,} active" if plan.active_params != plan.total_params else ""
    yield "parameters", f"{plan.total_params:,}{share}"
    yield "devices", f"{plan.num_devices:,} x {plan.device} ({plan.cluster})"
    yield "layout", f"{plan.layout}" + ("" if plan.runnable else ", which glam train cannot run")
    again = ", activations computed again" if plan.recompute_activations else ""
    yield "rows at a time", f"{plan.micro_batch_rows:,}{again}"
    yield "tokens", f"{quantity(plan.tokens)} in {plan.num_steps:,.0f} steps of {plan.batch_tokens:,}"
    yield "precision, optimizer", f"{plan.precision}, {plan.optimizer}"
    yield "speed", f"{plan.tokens_per_second:,.0f} tokens/s, {percent(plan.mfu)} of the peak (MFU)"
    yield "time", f"{plan.hours:,.3g} h, {plan.hours / 24:,.3g} days"
    yield "power of a device", UNKNOWN if plan.watts_per_device is None else f"{plan.watts_per_device:g} W"
    yield "energy", f"{_energy(plan.machine_mwh)} at the machines, {_energy(plan.site_mwh)} at the site"
    yield "emissions", _figure(plan.tonnes_co2e, "t CO2e")
    yield "price", _figure(plan.price)
    if plan.faster_elsewhere is not None:
        seconds = f"{plan.faster_elsewhere_seconds:.3g} s a step, not {plan.step.seconds:.3g}"
        yield "faster, but not ours", f"{plan.faster_elsewhere}: {seconds}"


def _print_notes(plans: list[Plan]) -> None:
    """What some of the plans warn of and assume, once."""
    for title, notes in (("!", [plan.warnings for plan in plans]), ("-", [plan.assumptions for plan in plans])):
        for note in dict.fromkeys(note for some in notes for note in some):
            typer.echo(f"{title} {note}")


def _energy(mwh: float | None) -> str:
    return quantity(None if mwh is None else mwh * WH_PER_MWH, "Wh")


def _figure(value: float | None, unit: str = "") -> str:
    return UNKNOWN if value is None else f"{value:,.3g} {unit}".strip()
