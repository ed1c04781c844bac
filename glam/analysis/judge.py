"""From the evidence of every run to a verdict: arms paired seed by seed, item by item."""

from collections.abc import Mapping, Sequence
from typing import get_args

from glam.analysis.axes import compare_axes
from glam.analysis.comparison import Judged, Runs, compare_loss, compare_tasks, decide, mean, total
from glam.analysis.evidence import RunEvidence
from glam.analysis.scaling import scaling_fits
from glam.analysis.sentences import caveats, conclusion, detour_caveats, findings, overlap_caveats
from glam.analysis.verdict import ArmSummary, Contrast, RunRecord, TaskComparison, Verdict
from glam.records import EnergyMethod
from glam.study import Study, changed_fields

METHODS_BEST_FIRST: tuple[EnergyMethod, ...] = get_args(EnergyMethod)

Evidence = Mapping[tuple[str, int], RunEvidence]
"""By (arm, seed)."""


def judge(
    study: Study,
    evidence: Evidence,
    *,
    data: Mapping[str, object] | None = None,
    allow_different_numerics: bool = False,
) -> Verdict:
    """The verdict of a study whose runs are all there; `data` is the selected corpus' report.

    Raises ValueError for a missing run, and where the runs of two arms differ in their numerics (layout,
    threads, versions) unless that is allowed.
    """
    missing = [f"{arm} seed {seed}" for arm, seed, _ in study.experiments() if (arm, seed) not in evidence]
    if missing:
        raise ValueError(f"study {study.name!r} has no evidence for: {', '.join(missing)}; train and evaluate it first")
    numerics = [line for first, second in study.compared for line in different_numerics(study, evidence, first, second)]
    if numerics and not allow_different_numerics:
        raise ValueError(
            f"the arms of {study.name!r} were not computed alike: {'; '.join(numerics)}. "
            "Run them with the same layout, threads and versions, or say that it may be so: --run "
            "allow_different_numerics=true (a line of the form's run settings)"
        )
    arms = [_arm(arm, [evidence[arm, seed] for seed in study.seeds_of(arm)]) for arm in study.arms]
    contrasts = _contrasts(study, evidence)
    return Verdict(
        study=study.name,
        description=study.description,
        match=study.match,
        varies=study.varies,
        seeds=tuple(sorted({seed for arm in study.arms for seed in study.seeds_of(arm)})),
        arms=tuple(arms),
        runs=tuple(
            RunRecord(
                # The folder may have been made by another study, under another arm's name.
                summary=evidence[arm, seed].summary.model_copy(update={"arm": arm}),
                heldout=evidence[arm, seed].heldout,
            )
            for arm, seed, _ in study.experiments()
        ),
        contrasts=tuple(contrasts),
        numerics_differences=tuple(numerics),
        scaling=scaling_fits(study, {key: run.summary for key, run in evidence.items()}),
        data=None if data is None else dict(data),
        sentence=" ".join(each.sentence for each in contrasts)
        or f"One arm, {next(iter(study.arms))}: nothing to compare it with.",
        caveats=(
            *caveats(arms, contrasts, numerics),
            *detour_caveats([evidence[arm, seed].summary for arm, seed, _ in study.experiments()]),
            *overlap_caveats(data or {}),
        ),
    )


def different_numerics(study: Study, evidence: Evidence, first: str, second: str) -> list[str]:
    """`arms, seed: field: values` of all that differs in how two arms were computed."""
    found = []
    for seed in study.seeds_of(first):
        changed = changed_fields(evidence[first, seed].numerics, evidence[second, seed].numerics)
        found += [f"{first} and {second}, seed {seed}: {path} {one!r} and {two!r}" for path, one, two in changed]
    return found


def _contrasts(study: Study, evidence: Evidence) -> list[Contrast]:
    losses, tasks = [], []
    for first, second in study.compared:
        one, two = _runs(study, evidence, first), _runs(study, evidence, second)
        texts = [study.arms[arm].data.judged_as or study.arms[arm].data for arm in (first, second)]
        losses.append([compare_loss(first, one, second, two, same_data=texts[0] == texts[1])])
        tasks.append(compare_tasks(Judged.of_arm(first, one), Judged.of_arm(second, two)))
    return [
        _contrast(study, evidence, first, second, loss, cells)
        for (first, second), (loss,), cells in zip(study.compared, decide(losses), decide(tasks), strict=True)
    ]


def _runs(study: Study, evidence: Evidence, arm: str) -> Runs:
    return {seed: evidence[arm, seed] for seed in study.seeds_of(arm)}


def _contrast(
    study: Study,
    evidence: Evidence,
    first: str,
    second: str,
    loss: TaskComparison,
    tasks: Sequence[TaskComparison],
) -> Contrast:
    seeds = study.seeds_of(first)
    one, two = _runs(study, evidence, first), _runs(study, evidence, second)
    equal_tokens = all(one[seed].summary.tokens == two[seed].summary.tokens for seed in seeds)
    axes = compare_axes(one, two, study.arms[first].train, study.arms[second].train)
    better = [task.better for task in tasks]
    return Contrast(
        first=first,
        second=second,
        changed=tuple(
            f"{path}: {ours!r}, {theirs!r}"
            for path, ours, theirs in changed_fields(
                study.arms[first].model_dump(mode="json"), study.arms[second].model_dump(mode="json")
            )
        ),
        equal_tokens=equal_tokens,
        loss=loss,
        axes=tuple(axes),
        tasks=tuple(tasks),
        num_tasks_won=better.count("first"),
        num_tasks_lost=better.count("second"),
        num_tasks_undecided=better.count("undecided"),
        sentence=conclusion(first, second, loss, num_seeds=len(seeds), equal_tokens=equal_tokens),
        findings=tuple(findings(first, second, axes, tasks)),
    )


def _arm(arm: str, runs: Sequence[RunEvidence]) -> ArmSummary:
    summaries = [run.summary for run in runs]
    last = [run.steps[-1] for run in runs if run.steps]
    energy = total([each.energy_joules for each in summaries])
    tokens = sum(each.tokens for each in summaries)
    weakest = max(METHODS_BEST_FIRST.index(each.energy_method) for each in summaries)
    return ArmSummary(
        arm=arm,
        num_runs=len(runs),
        total_params=summaries[0].total_params,
        active_params=summaries[0].active_params,
        flops_per_token=summaries[0].flops_per_token,
        tokens_per_run=tokens / len(runs),
        train_loss=sum(each.train_loss for each in summaries) / len(runs),
        heldout_loss=mean([each.heldout_loss for each in summaries]),
        elapsed_seconds=sum(each.elapsed_seconds for each in summaries),
        tokens_per_second=tokens / sum(each.elapsed_seconds for each in summaries),
        energy_joules=energy,
        energy_low_joules=total([each.energy_low_joules for each in summaries]),
        energy_high_joules=total([each.energy_high_joules for each in summaries]),
        energy_method=METHODS_BEST_FIRST[weakest],
        idle_watts=mean([each.idle_watts for each in summaries]),
        joules_per_token=None if energy is None else energy / tokens,
        load_imbalance=mean([each.load_imbalance for each in last]),
        dropped_fraction=mean([each.dropped_fraction for each in last]),
    )
