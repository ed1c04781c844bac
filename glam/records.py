"""What crosses a process boundary: typed records, each with units in its names.

`None` means unknown and is shown as unknown; it is never 0. A record is written as one JSON line and
read back through the same class, so a number in a figure was a typed field first. No torch.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

EnergyMethod = Literal["nvml_counter", "nvml_power", "rapl", "power_model", "none"]
EnergyCovers = Literal["gpus", "packages and memory", "busy cores"]


class Record(BaseModel):
    """A frozen value with a schema version; an unknown field is an error."""

    # NaN and infinity as words: as null a loss that is no number could not be read again.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), ser_json_inf_nan="strings")

    schema_version: int = SCHEMA_VERSION


class Document(Record):
    """One text of a corpus."""

    id: str
    """Stable and unique in its source; seeds every draw about this document."""
    text: str
    source: str
    """Which kind of text, e.g. `docstring`, `readme`; counted and reported by."""
    unit: str
    """What a held-out split must not cut: package, site, book, file."""
    curated: bool = False
    """Whether the quality classifier takes it as a positive example."""
    name: str | None = None
    """Qualified name of the documented object, where there is one."""


class Drop(Record):
    """A document that did not go on, and why."""

    document_id: str
    source: str
    reason: str
    detail: str | None = None
    """For a record that could not be read: its file and line, and what was wrong. The one place for names of files."""


class StepMetrics(Record):
    """One optimizer step. Loss is cross-entropy alone, in nats per token."""

    step: int
    """Steps done, so the first is 1."""
    tokens: int
    """Tokens consumed since the start of training."""
    loss: float
    balance_loss: float | None = None
    """Mean over mixture layers and routing groups; 1 when balanced. None for a dense model."""
    z_loss: float | None = None
    grad_norm: float
    learning_rate: float
    load_imbalance: float | None = None
    """Load of the busiest expert over the mean load, averaged over mixture layers."""
    dropped_fraction: float | None = None
    router_entropy: float | None = None
    output_z_loss: float | None = None
    """Mean squared log-sum-exp of the vocabulary's logits; None where the objective does not have it."""
    skipped_steps: int = 0
    """Steps so far whose loss or gradients were not finite; they changed nothing."""
    rollbacks: int = 0
    """Times that training went back to an earlier checkpoint."""
    elapsed_seconds: float
    """Training time so far, over all attempts, without start-up and held-out evaluation."""
    tokens_per_second: float
    energy_joules: float | None = None
    """Energy so far, over all attempts, in the same windows as `elapsed_seconds`."""
    energy_method: EnergyMethod = "none"
    mfu: float | None = None
    """Model FLOPs utilisation: FLOPs that the model needs over those that all devices could do; None: peak unknown."""


class ExpertLoad(Record):
    """Choices that reached each expert in one step, or over the tokens of a task (step 0)."""

    step: int
    load_LE: tuple[tuple[int, ...], ...]
    """By mixture layer, then by expert."""


class ExpertSpecialization(Record):
    """Which experts the tokens of held-out text chose when training was done."""

    num_tokens: int
    by_kind: dict[str, tuple[tuple[int, ...], ...]]
    """Of every kind of token that occurs, choices as `ExpertLoad.load_LE`; each token is of one kind."""
    by_source: dict[str, tuple[tuple[int, ...], ...]]
    """The same by source of the text: each token is of one source."""


class StepProfile(Record):
    """Where the time of a training step goes."""

    num_steps: int
    """Profiled, by the first worker."""
    step_seconds: float
    """Mean, with what profiling itself takes."""
    part_seconds: dict[str, float]
    """Of a step, by part, `other` last; what the part's own threads wait for is in it."""
    of: Literal["processor", "device"]
    """Whose seconds the parts are."""


class Detour(Record):
    """A roll-back: from `step` on, batches come in another order."""

    step: int
    """Steps done at the checkpoint that training went back to."""
    left_at: int
    """Steps done when it was left."""
    reason: str
    elapsed_seconds: float
    """When it was left, as the next fields: what was spent since that checkpoint counts."""
    energy_joules: float | None = None
    energy_low_joules: float | None = None
    energy_high_joules: float | None = None


class HeldoutPoint(Record):
    """Held-out cross-entropy on a training curve, in nats per token."""

    step: int
    tokens: int
    loss: float
    elapsed_seconds: float
    energy_joules: float | None = None


class HeldoutRows(Record):
    """Of a `HeldoutPoint`, its rows in their order: what an interval of a curve resamples."""

    step: int
    nats: tuple[float, ...]
    """Negative log-likelihood of each row."""
    tokens: tuple[int, ...]
    """That were predicted in each row."""
    units: tuple[str, ...]
    """Held-out unit (package, file) of the document that each row is a piece of."""


class EnergyReading(Record):
    """One raw sample of a meter on one node."""

    method: EnergyMethod
    at_seconds: float
    """Monotonic clock of the node."""
    energy_joules: float | None
    """Counter since an arbitrary origin; differences mean something."""
    low_joules: float | None = None
    high_joules: float | None = None
    step: int | None = None
    """Steps that the run had done when it was taken; None: not of a run."""


class EnergyUse(Record):
    """What a piece of work used, or a whole stage."""

    method: EnergyMethod
    covers: EnergyCovers | None
    """What of the machine is in it; None: unknown, or parts cover different things."""
    energy_joules: float | None
    low_joules: float | None = None
    high_joules: float | None = None
    seconds: float
    """Of the windows that were measured: the sum over processes where each has its own meter, else of the node."""


class ItemScore(Record):
    """One example of a task: the pairing unit of every comparison."""

    item_id: str
    cluster: str
    """What resampling keeps together: the held-out unit the item came from, the passage it is about."""
    value: float | None
    """The task's metric on this item; for `heldout` the summed negative log-likelihood in nats. None: not asked, for
    it does not fit the model's rows."""
    weight: float = 1.0
    """Tokens (heldout), what F1a divides by, or 1; the task's value is sum(value) / sum(weight)."""
    bytes: int | None = None
    """Of the right answer, or of the text."""
    margin: float | None = None
    """Log-likelihood of the right answer minus the best wrong one, in nats; per token where the task normalises."""
    right_nats: float | None = None
    """Negative log-likelihood of the right answer."""
    others: dict[str, float] = {}
    """Further metrics of this item, by name."""
    demonstrations: tuple[str, ...] = ()
    """Ids of the items shown before this one, in their order; fewer than asked for where they did not fit."""
    num_dropped_demonstrations: int = 0
    """That were drawn and left out, the first ones, because they did not fit."""
    excess_tokens: int = 0
    """By how many tokens the item is too long for the model, without demonstrations."""
    prompt: str | None = None
    prompt_sha256: str | None = None
    choices: tuple[str, ...] = ()
    right: tuple[int, ...] = ()
    """Places of the right choices."""
    log_likelihoods: tuple[float, ...] = ()
    """Of the choices, in nats, not normalised."""
    choice_tokens: tuple[int, ...] = ()
    chosen: int | None = None
    generation: str | None = None
    """What the model wrote."""
    references: tuple[str, ...] = ()
    """Answers that would have been accepted."""


class Scored(Record):
    """What became of some items of a task, in their order."""

    items: tuple[ItemScore, ...]
    load_LE: tuple[tuple[int, ...], ...] | None = None
    """Choices that reached each expert, by mixture layer; None: a dense model, or not counted."""
    seconds: float
    """Of computation, over all processes."""
    energy_joules: float | None = None
    energy_low_joules: float | None = None
    energy_high_joules: float | None = None
    energy_method: EnergyMethod = "none"


class ScoreInterval(Record):
    """How sure a score is: other items of this kind, the same model."""

    standard_error: float
    low: float
    """With `high` the 95 % interval."""
    high: float


class EvalResult(Record):
    """One task at one number of shots on one checkpoint."""

    task: str
    num_shots: int
    metric: str
    value: float | None
    num_examples: int
    standard_error: float | None = None
    """Of the value, by resampling clusters of items; None: one cluster, or not computed."""
    low: float | None = None
    """With `high` the 95 % interval: other items of this kind, the same model."""
    high: float | None = None
    bits_per_byte: float | None = None
    """Of the right answers, or of the text."""
    margin: float | None = None
    """Mean over items, as `ItemScore.margin`: moves where right answers do not yet."""
    chance: float | None = None
    majority: float | None = None
    mean_demonstrations: float | None = None
    """Demonstrations that fitted before an item, on average: `num_shots` where all did."""
    others: dict[str, float] = {}
    """Further metrics, by name: means over the items that were asked."""
    intervals: dict[str, ScoreInterval] = {}
    """Of `others`, where one can be computed."""
    counted: tuple[str, ...] = ()
    """Those of `others` that are entries of the paper's averages, as the value is."""
    num_too_long: int = 0
    """Items that do not fit the model's rows and were not asked; not among `num_examples`."""
    seconds: float | None = None
    """Of computation, over all processes."""
    energy_joules: float | None = None
    """Over all processes; unknown where one piece's is."""
    energy_low_joules: float | None = None
    energy_high_joules: float | None = None
    energy_method: EnergyMethod = "none"


class RunPlan(Record):
    """What is known of a training run before its first step, for whoever looks at one that goes on."""

    config: dict[str, object]
    """Model and training, as its manifest will have them."""
    reads: tuple[str, ...]
    """As the manifest's."""
    flops_per_token: float
    """Training FLOPs per token at the run's sequence length."""


class RunSummary(Record):
    """A finished training run, as tables and the dashboard read it."""

    arm: str = Field(min_length=1)
    seed: int
    run_fingerprint: str
    total_params: int
    active_params: int
    flops_per_token: float
    """Training FLOPs per token at the run's sequence length."""
    tokens: int
    train_loss: float
    heldout_loss: float | None
    elapsed_seconds: float
    tokens_per_second: float
    energy_joules: float | None
    energy_low_joules: float | None = None
    energy_high_joules: float | None = None
    energy_method: EnergyMethod
    """The weakest of its steps."""
    idle_watts: float | None = None
    """Of what the meters cover, on all nodes, shortly before the steps of the last attempt that could measure it; it is
    not subtracted from the energy. None: the meters cannot see it."""
    skipped_steps: int = 0
    detours: tuple[Detour, ...] = ()
    stream_hash: str | None = None
    """Of every row that was trained on, with its place: equal for runs that saw the same text in the same order."""
    num_workers: int
    """That were asked for."""
    worker_counts: tuple[int, ...] = ()
    """That there were, a new number with each change; empty: not recorded."""
    threads_per_worker: int


class Certificate(Record):
    """What became of a run that was made again, killed on the way, and compared with the one that was not."""

    run_fingerprint: str
    killed_at: tuple[int, ...]
    """Steps that were logged when its processes were ended with SIGKILL."""
    resumed_from: tuple[int, ...]
    """Steps of the checkpoints that the next attempts went on from."""
    stream_hash: str
    """Of the run that was not interrupted, as `weights_sha256`."""
    stream_hash_again: str
    weights_sha256: str
    weights_sha256_again: str
    same_numerics: bool
    """Whether this machine computes as the one that made the run; else both runs compared were made here."""
    elapsed_seconds: float

    @property
    def same(self) -> bool:
        """The same text in the same order, and the same weights to the last bit."""
        return (self.stream_hash, self.weights_sha256) == (self.stream_hash_again, self.weights_sha256_again)


class Machine(Record):
    """What a measurement of speed was made on: numbers without it mean nothing."""

    processor: str | None
    """Its name; None: unknown."""
    gpu: str | None
    """Name of the GPU that did the work; None: the processor did it."""
    cores: int
    """That the work might use."""
    torch: str


class InferencePoint(Record):
    """Greedy generation at one batch size, medians over rounds in which the arms take turns."""

    batch_size: int
    tokens_per_second: float
    """New tokens of all rows over the seconds of the whole call, the reading of the prompts included."""
    call_seconds: tuple[float, ...]
    """Of a call, by round: the mean of those that a round has time for."""
    first_token_seconds: float
    """From the start of a call to the first new token of every row."""
    joules_per_token: float | None
    """Energy of the whole calls, over their new tokens."""
    low_joules_per_token: float | None = None
    high_joules_per_token: float | None = None
    energy_method: EnergyMethod = "none"
    call_joules: tuple[float | None, ...]
    """Of a call, by round, as `call_seconds`."""
    flops_per_token: float
    """Counted, not measured: forward of one new token, attending to the mean number of positions; reading the prompts
    is not in it."""
    weight_bytes: int
    """Of all weights, those of experts that no token chose included."""
    cache_bytes: int
    """Of keys and values of all rows at their full length."""
    peak_bytes: int
    """The most that the process held so far, batch sizes in rising order, above what it held before it had weights;
    on a GPU the most that was allocated there at this batch size."""


class InferenceResult(Record):
    """What a trained model takes to write text on one machine."""

    label: str
    """Of the run or checkpoint."""
    run_fingerprint: str | None
    """None: a folder that is no run of the store."""
    prompt_tokens: int
    """Of every row."""
    new_tokens: int
    """That every row writes."""
    threads: int
    prompts: Literal["held-out text", "random ids"]
    session: str
    """The same for arms that took turns with each other."""
    machine: Machine
    points: tuple[InferencePoint, ...]
    """In rising order of batch sizes."""


class FileEntry(Record):
    """A file of a complete folder."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(Record):
    """The commit of a folder: what is in it, what made it and from what."""

    kind: str
    label: str
    fingerprint: str
    files: tuple[FileEntry, ...]
    config: dict[str, object]
    reads: tuple[str, ...]
    """`kind/fingerprint` of every folder that was read."""
    revision: int
    libraries: dict[str, str]
    numerics: dict[str, object]
    """Layout, threads, versions and machine facts that decide the last bits of a result."""
    detours: tuple[Detour, ...] = ()
    """Roll-backs of a training run on its way; what it was trained on depends on them."""
    commit: str | None
    started: datetime
    ended: datetime
