"""The verdict: every number that the report, the terminal and the dashboard show, as a typed field.

Differences are first arm minus second. Unknown is None, with a reason beside it.
"""

from typing import Literal

from pydantic import Field

from glam.analysis.curves import Axis
from glam.analysis.significance import Test
from glam.analysis.statistics import Scope
from glam.records import EnergyMethod, HeldoutPoint, Record, RunSummary

Winner = Literal["first", "second", "undecided"]
ScalingAxis = Literal["flops", "experts"]


class Estimate(Record):
    """A difference with its 95 % interval."""

    value: float | None
    low: float | None = None
    high: float | None = None
    scope: Scope = "these runs"
    per_seed: dict[int, float] = Field(default_factory=dict)
    num_clusters: int | None = None
    num_items: int | None = None
    reason: str = ""
    """Why a number above is unknown."""


class TaskComparison(Record):
    """One task at one number of shots, both arms, averaged over seeds."""

    task: str
    num_shots: int
    metric: str
    counted_beside: bool = False
    """Whether the metric is not the task's own, but another entry of the paper's averages, as SQuADv2's exact match."""
    higher_is_better: bool
    first: float | None
    second: float | None
    difference: Estimate
    winner: Winner
    """Whose interval excludes zero on the good side, whatever else was compared; see `better`."""
    num_examples: int | None
    chance: float | None = None
    majority: float | None = None
    first_bits_per_byte: float | None = None
    second_bits_per_byte: float | None = None
    mean_demonstrations: float | None = None
    """Demonstrations that fitted, on average over arms and seeds."""
    test: Test | None = None
    """Where the p-value is from: McNemar's exact test, or the t statistic of the difference's interval."""
    p_value: float | None = None
    """Two-sided, of no difference, this cell alone."""
    p_value_per_seed: dict[int, float] = Field(default_factory=dict)
    """McNemar's, each seed alone; empty where items are not right or wrong or share clusters."""
    discordant_pairs_per_seed: dict[int, int] = Field(default_factory=dict)
    """Items that one arm has right and the other wrong."""
    p_value_adjusted: float | None = None
    """Holm's, over the tasks of all contrasts of the study; of held-out loss over the losses of all contrasts."""
    decided: bool | None = None
    """Whether the adjusted p-value is at most 5 %; None: unknown."""
    minimum_detectable_effect: float | None = None
    """The smallest difference that the test of this cell alone would find with 80 % power at 5 %, two-sided; in the
    unit of the difference: a fraction, or nats per token."""

    @property
    def title(self) -> str:
        """What the cell is called beside its number of shots."""
        return f"{self.task} {self.metric}" if self.counted_beside else self.task

    @property
    def better(self) -> Winner:
        """Whom the adjusted p-value favours; a verdict from before p-values has its winner."""
        if self.decided is None:
            return self.winner
        if not self.decided or self.difference.value is None:
            return "undecided"
        return "first" if (self.difference.value > 0) == self.higher_is_better else "second"


class ModelComparison(Record):
    """Two models on the same items, which need not be arms of a study."""

    first: str
    second: str
    loss: TaskComparison | None
    """Held-out loss; None: neither was asked."""
    tasks: tuple[TaskComparison, ...]

    @property
    def cells(self) -> tuple[TaskComparison, ...]:
        """Held-out loss first."""
        return self.tasks if self.loss is None else (self.loss, *self.tasks)


class SeedReading(Record):
    """Two curves of one seed, read at equal cost and at equal loss."""

    seed: int
    equal_cost: float | None
    """The smaller of the arms' total costs, where both losses are read."""
    loss_difference: float | None
    equal_loss: float | None
    """The higher of the arms' final losses, which both reached."""
    first_cost: float | None
    second_cost: float | None
    """Spent until `equal_loss`."""
    notes: tuple[str, ...] = ()
    """Why a number is unknown, or not what a run that stopped there would have got."""


class Speedup(Record):
    """How many times the cost the second arm needs to reach the first arm's final held-out loss; geometric mean over
    seeds, with its 95 % interval. Above 1 the first arm is faster.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    scope: Scope = "these runs"
    extrapolated: bool = False
    """Whether a curve of the second arm had to be continued beyond its end, by a power law fitted to it."""
    at_least: float | None = None
    """What the value exceeds where it is unknown, else its upper end where that is: the curve ends before."""
    at_most: float | None = None
    """What the value falls below where it is unknown, else its lower end where that is: the curve begins behind it."""
    per_seed: dict[int, float] = Field(default_factory=dict)
    """Of the seeds where it is known."""
    num_units: int | None = None
    """Held-out units that were resampled; None: there is no interval."""
    reason: str = ""
    """Why the value, or its interval, is unknown."""
    notes: tuple[str, ...] = ()
    """Why the value is not what a run that stopped there would have got."""


class AxisComparison(Record):
    """Held-out curves against one cost."""

    axis: Axis
    seeds: tuple[SeedReading, ...]
    loss_difference: float | None
    """Nats per token at equal cost, mean over seeds."""
    cost_ratio: float | None
    """First arm's cost over the second's at equal loss, geometric mean over seeds; below 1 the first is cheaper."""
    speedup: Speedup | None = None
    """None: a verdict from before there was one."""
    notes: tuple[str, ...] = ()


class Parameter(Record):
    """Of a law, with its 95 % interval."""

    value: float
    low: float
    high: float


class ScalingPoint(Record):
    """The end of a run, as a law sees it."""

    arm: str
    seed: int
    x: float
    """Training FLOPs of the run, or the number of experts."""
    loss: float | None
    """Held-out nats per token."""
    fitted: float | None = None
    """By the law."""
    residual: float | None = None
    """Logarithm of the loss over `fitted`: about the relative error."""


class ScalingFit(Record):
    """A law of the held-out loss over several models, or why there is none."""

    axis: ScalingAxis
    group: str
    """The family of models (dense, or their number of experts), or the size."""
    formula: str
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    """By name, as in `formula`; losses in nats per token. Empty: refused."""
    interval_from: str = "bootstrap over residuals"
    """Of the parameters: it takes the law's form for right."""
    reference_flops: float | None = None
    """C0 in `formula`: the geometric mean of the points' FLOPs."""
    points: tuple[ScalingPoint, ...]
    num_distinct: int
    """Amounts of compute, or numbers of experts, among the points."""
    reason: str = ""
    """Why there is no law."""
    notes: tuple[str, ...] = ()


class ArmSummary(Record):
    """One arm over its seeds."""

    arm: str
    num_runs: int
    total_params: int
    active_params: int
    flops_per_token: float
    tokens_per_run: float
    train_loss: float
    heldout_loss: float | None
    elapsed_seconds: float
    """Sum over runs."""
    tokens_per_second: float
    energy_joules: float | None
    """Sum over runs; unknown where one run's is."""
    energy_low_joules: float | None
    energy_high_joules: float | None
    energy_method: EnergyMethod
    """The weakest among the runs."""
    idle_watts: float | None = None
    """Mean over runs; not subtracted. None: unknown of one."""
    joules_per_token: float | None
    load_imbalance: float | None
    """Of the last logged step, mean over runs; None for a dense model."""
    dropped_fraction: float | None


class RunRecord(Record):
    """One run: its summary and its curve."""

    summary: RunSummary
    heldout: tuple[HeldoutPoint, ...]


class Contrast(Record):
    """One arm against its baseline."""

    first: str
    second: str
    changed: tuple[str, ...]
    """`field: first's value, second's value` of every field in which the arms differ."""
    equal_tokens: bool
    loss: TaskComparison
    axes: tuple[AxisComparison, ...]
    tasks: tuple[TaskComparison, ...]
    num_tasks_won: int | None = None
    """Cells, a task at a number of shots, in which `first` is better by the adjusted p-value; held-out loss is none."""
    num_tasks_lost: int | None = None
    num_tasks_undecided: int | None = None
    """Those included of which nothing is known."""
    sentence: str
    findings: tuple[str, ...]

    @property
    def cells(self) -> tuple[TaskComparison, ...]:
        """Held-out loss first."""
        return (self.loss, *self.tasks)


class Verdict(Record):
    """What a study has shown."""

    study: str
    description: str
    match: str
    varies: tuple[str, ...]
    seeds: tuple[int, ...]
    arms: tuple[ArmSummary, ...]
    runs: tuple[RunRecord, ...]
    contrasts: tuple[Contrast, ...]
    """Each arm against its baseline; empty for a study of one arm."""
    numerics_differences: tuple[str, ...]
    """In what the compared runs' numerics differ; empty unless that was allowed."""
    scaling: tuple[ScalingFit, ...] = ()
    """Laws over several sizes; empty for a study of one."""
    data: dict[str, object] | None
    """The selected corpus' own report."""
    sentence: str
    """The conclusion in plain English."""
    caveats: tuple[str, ...]

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """By baseline, it and the arms compared with it, as they stand in `arms`; all of them where nothing is."""
        if not self.contrasts:
            return {self.arms[0].arm: tuple(arm.arm for arm in self.arms)}
        together = {each.second: {each.second} for each in self.contrasts}
        for each in self.contrasts:
            together[each.second].add(each.first)
        return {second: tuple(arm.arm for arm in self.arms if arm.arm in names) for second, names in together.items()}
