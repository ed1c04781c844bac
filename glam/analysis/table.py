"""A verdict in the terminal."""

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from glam.analysis.cost_sentences import largest_residual, law_values, speedup
from glam.analysis.formats import energy, number, p_value, percent, quantity, ratio, signed
from glam.analysis.sentences import interval, points, winner_name
from glam.analysis.verdict import Contrast, ModelComparison, Verdict


def print_verdict(verdict: Verdict, console: Console | None = None) -> None:
    """Prints the tables and the sentence."""
    (console or Console()).print(verdict_tables(verdict))


def print_comparison(comparison: ModelComparison, console: Console) -> None:
    """Two models on the same items: both values, their difference, and who is better."""
    console.print(Group(task_table(comparison), decision_table(comparison)))


def verdict_tables(verdict: Verdict) -> Group:
    """Arms, each contrast's costs, tasks and decisions, laws over sizes, the conclusion and what to know about it."""
    parts: list[Table | Text] = [arm_table(verdict)]
    for contrast in verdict.contrasts:
        parts += [cost_table(contrast), task_table(contrast), decision_table(contrast)]
        parts += [Text(f"  {finding}") for finding in contrast.findings]
    if verdict.scaling:
        parts.append(scaling_table(verdict))
    parts.append(Text(f"\n{verdict.sentence}", style="bold"))
    parts += [Text(f"  note: {caveat}", style="dim") for caveat in verdict.caveats]
    return Group(*parts)


def arm_table(verdict: Verdict) -> Table:
    """One column an arm."""
    table = _table(f"{verdict.study}, matched by {verdict.match}", "")
    for arm in verdict.arms:
        table.add_column(arm.arm, justify="right")
    rows = {
        "runs": [str(arm.num_runs) for arm in verdict.arms],
        "parameters": [quantity(arm.total_params) for arm in verdict.arms],
        "active per token": [quantity(arm.active_params) for arm in verdict.arms],
        "training FLOPs per token": [quantity(arm.flops_per_token) for arm in verdict.arms],
        "tokens a run": [quantity(arm.tokens_per_run) for arm in verdict.arms],
        "training loss": [number(arm.train_loss) for arm in verdict.arms],
        "held-out loss": [number(arm.heldout_loss) for arm in verdict.arms],
        "seconds, all runs": [quantity(arm.elapsed_seconds, "s") for arm in verdict.arms],
        "tokens per second": [quantity(arm.tokens_per_second) for arm in verdict.arms],
        "energy, all runs": [
            energy(arm.energy_joules, arm.energy_low_joules, arm.energy_high_joules, arm.energy_method, arm.idle_watts)
            for arm in verdict.arms
        ],
        "per token": [quantity(arm.joules_per_token, "J") for arm in verdict.arms],
    }
    for name, values in rows.items():
        table.add_row(name, *values)
    return table


def cost_table(contrast: Contrast) -> Table:
    """Loss difference at equal cost, cost ratio at equal loss, and the speed-up."""
    table = _table(f"{contrast.first} against {contrast.second}: held-out curves", "axis")
    table.add_column("loss difference at equal cost", justify="right")
    table.add_column("cost ratio at equal loss", justify="right")
    table.add_column("speed-up", justify="right")
    for axis in contrast.axes:
        table.add_row(axis.axis, signed(axis.loss_difference), ratio(axis.cost_ratio), speedup(axis.speedup))
    return table


def scaling_table(verdict: Verdict) -> Table:
    """Laws of the held-out loss over the study's sizes, or why there is none."""
    table = _table("held-out loss over sizes: laws with 95 % intervals", "of")
    for name in ("law", "parameters", "runs", "largest residual"):
        table.add_column(name, justify="right" if name in ("runs", "largest residual") else "left")
    for fit in verdict.scaling:
        values = "; ".join((law_values(fit), *fit.notes))
        table.add_row(fit.group, fit.formula, values, str(len(fit.points)), largest_residual(fit))
    return table


def task_table(contrast: Contrast | ModelComparison) -> Table:
    """Every task setting, held-out loss first."""
    table = _table(f"{contrast.first} minus {contrast.second}, 95 % intervals", "task")
    for name in ("shots", contrast.first, contrast.second, "difference", "chance", "majority"):
        table.add_column(name, justify="right")
    for task in contrast.cells:
        shown = percent if task.higher_is_better else number
        table.add_row(
            task.title,
            str(task.num_shots),
            shown(task.first),
            shown(task.second),
            points(task.difference) if task.higher_is_better else interval(task.difference, unit=""),
            percent(task.chance) if task.chance is not None else "-",
            percent(task.majority) if task.majority is not None else "-",
        )
    return table


def decision_table(contrast: Contrast | ModelComparison) -> Table:
    """Who is better on every task setting, and how sure that is; apart from the scores, to fit a narrow terminal."""
    table = _table("paired tests; would show: alone, in 80 % of cases at 5 %", "task")
    for name in ("shots", "p", "Holm's p", "better"):
        table.add_column(name, justify="left" if name == "better" else "right", no_wrap=name != "better")
    for task in contrast.cells:
        table.add_row(
            task.title,
            str(task.num_shots),
            p_value(task.p_value),
            p_value(task.p_value_adjusted),
            winner_name(contrast, task),
        )
    return table


def _table(title: str, first_column: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="", box=None, pad_edge=False)
    table.add_column(first_column)
    return table
