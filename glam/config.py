"""What determines a result (`Experiment` and its four parts) and what does not (`RunOptions`).

Every class is frozen, refuses unknown fields and checks itself once, at construction; nothing below
re-checks. Change one through `replace()`, which checks again. No torch, no paths, no hardware.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Config(BaseModel):
    """A frozen value; an unknown field is an error that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


ConfigT = TypeVar("ConfigT", bound=Config)


def replace(config: ConfigT, **changes: Any) -> ConfigT:
    """A copy with `changes`, validated again (pydantic's `model_copy(update=)` is not).

    A value may itself be a mapping: then it changes those fields of the nested config.
    """
    fields: dict[str, Any] = {name: getattr(config, name) for name in type(config).model_fields}
    for name, change in changes.items():
        current = fields.get(name)
        if isinstance(change, Mapping) and isinstance(current, Config):
            fields[name] = replace(current, **change)
        else:
            fields[name] = change
    return type(config)(**fields)


class HubConfig(Config):
    """A data set of the Hugging Face hub, at one commit."""

    id: str
    """`owner/name`."""
    revision: str = ""
    """The hash of a commit; names such as `main` are refused, for they mean other text tomorrow."""
    subset: str | None = None
    """Which configuration of the data set; None: its default."""
    split: str = "train"

    @model_validator(mode="after")
    def pinned(self) -> Self:
        if not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            raise ValueError(
                f"hub.revision={self.revision!r} is not the hash of a commit, so the text of {self.id} could change "
                f"unseen; `glam data pin {self.id}` looks the hash up"
            )
        return self


class KindConfig(Config):
    """One kind of text in a mixture: its files or its data set, and its share of what is trained on."""

    name: str = Field(pattern=r"^[\w.-]+$")
    """`source` of its documents."""
    weight: float | None = Field(default=None, ge=0)
    """Share of the tokens, relative to the other kinds; 0 leaves the kind out. None: GLaM's where it has one for that
    name (source `mixture`: as much as there is)."""
    paths: tuple[str, ...] = ()
    hub: HubConfig | None = None
    curated: bool | None = None
    """Whether its documents are examples of good text, where they do not say so themselves. None: as GLaM has it
    (source `mixture`: no)."""
    max_megabytes: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def one_place(self) -> Self:
        if self.paths and self.hub:
            raise ValueError(f"kind {self.name!r} has paths and hub; split it into two kinds")
        return self


class SourceConfig(Config):
    """Where documents come from."""

    name: str = "python_docs"
    """A key of `glam.data.sources.SOURCES`."""
    paths: tuple[str, ...] = ()
    """Files, folders or globs of `local_files`, the one folder of `local_mixture`; they enter the fingerprint by
    content, never by name."""
    hub: HubConfig | None = None
    """The data set of `hub`."""
    kinds: tuple[KindConfig, ...] = ()
    """Of `mixture` and `glam_mixture`; with `local_mixture`, what its folder does not tell of a kind."""
    max_megabytes: float | None = Field(default=None, gt=0)
    """Stop reading after so much text, counted in units (package, file) in a fixed pseudo-random order."""
    max_quarantined_fraction: float = Field(default=0.01, ge=0, le=1)
    """Records that cannot be read (`glam.data.quarantine.FAULTS`) up to this share are counted and passed over; more
    end the extraction. Not part of the identity: it changes nothing that is written."""
    num_shards: int = Field(default=8, ge=1)
    """File shards, each one Ray task. Part of the identity, so a relaunch cannot change it."""

    @model_validator(mode="after")
    def kinds_differ(self) -> Self:
        twice = sorted(name for name, count in Counter(kind.name for kind in self.kinds).items() if count > 1)
        if twice:
            raise ValueError(f"data.source.kinds has {', '.join(twice)} more than once")
        return self


class FilterConfig(Config):
    """Thresholds of the rules in `glam/data/filters.py`; None switches a rule off. Shares are of 1.

    The defaults suit documentation, which is shorter and holds more symbols than web pages; `recipes.WEB_FILTERS` has
    the published values. Gopher is arXiv:2112.11446, section A.1.1 and table A1; C4 is arXiv:1910.10683, section 2.2.
    """

    min_characters: int | None = Field(default=200, ge=1)
    max_characters: int | None = Field(default=1_000_000, ge=1)
    max_symbol_fraction: float | None = Field(default=0.25, ge=0, le=1)
    """Characters that are neither letter, digit nor white space; ours, against tables, banners and code."""
    max_digit_fraction: float | None = Field(default=0.20, ge=0, le=1)
    """Characters that are digits; ours, against listings of numbers."""
    min_words: int | None = Field(default=None, ge=1)
    """Words without punctuation (Gopher: 50)."""
    max_words: int | None = Field(default=None, ge=1)
    """Words without punctuation (Gopher: 100,000)."""
    min_mean_word_characters: float | None = 3.0
    """Gopher: 3."""
    max_mean_word_characters: float | None = 10.0
    """Gopher: 10."""
    max_hashes_per_word: float | None = Field(default=None, ge=0)
    """`#` signs for each word (Gopher: 0.1)."""
    max_ellipses_per_word: float | None = Field(default=None, ge=0)
    """Ellipses for each word (Gopher: 0.1)."""
    max_bullet_line_fraction: float | None = Field(default=None, ge=0, le=1)
    """Lines that begin with a bullet or a hyphen (Gopher: 0.9)."""
    max_ellipsis_line_fraction: float | None = Field(default=None, ge=0, le=1)
    """Lines that end with an ellipsis (Gopher: 0.3)."""
    min_lettered_word_fraction: float | None = Field(default=None, ge=0, le=1)
    """Words, punctuation included, with at least one letter (Gopher: 0.8)."""
    min_stop_words: int | None = Field(default=2, ge=1, le=8)
    """Different ones of the, be, to, of, and, that, have, with (Gopher: 2)."""
    max_repeated_line_fraction: float | None = Field(default=0.30, ge=0, le=1)
    """Lines that stood there before (Gopher: 0.30)."""
    max_repeated_line_character_fraction: float | None = Field(default=None, ge=0, le=1)
    """Characters in such lines (Gopher: 0.20)."""
    max_repeated_paragraph_fraction: float | None = Field(default=None, ge=0, le=1)
    """Paragraphs that stood there before (Gopher: 0.30)."""
    max_repeated_paragraph_character_fraction: float | None = Field(default=None, ge=0, le=1)
    """Characters in such paragraphs (Gopher: 0.20)."""
    max_top_ngram_fractions: tuple[float, float, float] | None = None
    """Characters in the most frequent run of 2, 3 and 4 words (Gopher: 0.20, 0.18, 0.16)."""
    max_repeated_ngram_fractions: tuple[float, float, float, float, float, float] | None = None
    """Characters in repeated runs of 5 to 10 words (Gopher: 0.15, 0.14, 0.13, 0.12, 0.11, 0.10)."""
    min_sentences: int | None = Field(default=None, ge=1)
    """Sentences in lines that end with a terminal mark (C4: 5)."""
    min_terminal_line_fraction: float | None = Field(default=None, ge=0, le=1)
    """Lines that end with a terminal mark. C4 keeps no other line; FineWeb (arXiv:2406.17557) asks for 0.12."""
    allow_lorem_ipsum: bool = True
    """C4: no."""
    allow_curly_brackets: bool = True
    """C4: no, as they are in code and hardly anywhere else."""
    max_boilerplate_line_fraction: float | None = Field(default=None, ge=0, le=1)
    """Lines about JavaScript, cookies or terms of use. C4 drops each such line, and what we keep we keep whole."""
    language: Literal["en"] | None = None
    """What a text must be written in; C4: English."""


class QualityConfig(Config):
    """The hashed linear classifier and GLaM's keep rule: keep iff pareto(alpha) > 1 - score."""

    enabled: bool = True
    alpha: float = Field(default=9.0, gt=0)
    num_features_log2: int = Field(default=18, ge=8, le=24)
    seed: int = 0


class DedupConfig(Config):
    """Near duplicates: MinHash over word n-grams, banded so that `jaccard` is the likely threshold."""

    jaccard: float = Field(default=0.8, gt=0, le=1)
    word_ngram: int = Field(default=5, ge=1)
    num_permutations: int = Field(default=128, ge=16)
    seed: int = 0


class SplitConfig(Config):
    """Held-out text is whole units (packages, files), never parts of a duplicate cluster."""

    heldout_fraction: float = Field(default=0.06, gt=0, lt=1)
    max_megabytes: float = Field(default=64.0, gt=0)
    """Text held out at most, however large the corpus: more makes no judgement surer, and all of it is scored."""
    curated_only: bool = False
    """Judges by curated documents alone: other documents of a unit that is held out go to neither side."""
    seed: int = 0


class OverlapConfig(Config):
    """What training text may share with the text that models are judged by, in word n-grams (GPT-3: 13)."""

    ngram: int = Field(default=13, ge=1)
    benchmarks: tuple[str, ...] = ()
    """JSON-lines files or globs, an example a line; they enter the fingerprint by content."""
    policy: Literal["report", "drop"] = "report"
    """Whether a training document that shares an n-gram with a benchmark is only counted, or left out."""


MIN_UNIGRAM_VOCABULARY = 512


class TokenizerConfig(Config):
    """A byte-fallback subword vocabulary trained on the training side."""

    kind: Literal["unigram", "bpe"] = "unigram"
    """A key of `glam.data.tokenizer.TOKENIZERS`; GLaM's is SentencePiece's unigram model."""
    vocab_size: int = Field(default=4096, ge=300, le=1 << 20)
    train_megabytes: float = Field(default=8.0, gt=0)

    @model_validator(mode="after")
    def room_for_bytes_and_letters(self) -> Self:
        if self.kind == "unigram" and self.vocab_size < MIN_UNIGRAM_VOCABULARY:
            raise ValueError(
                f"vocab_size={self.vocab_size} leaves kind='unigram' no room for 256 bytes, ASCII and pieces; "
                f"at least {MIN_UNIGRAM_VOCABULARY}, or kind='bpe'"
            )
        return self


class DataConfig(Config):
    """From a source to packed shards of token ids."""

    source: SourceConfig = SourceConfig()
    filters: FilterConfig = FilterConfig()
    quality: QualityConfig = QualityConfig()
    dedup: DedupConfig = DedupConfig()
    split: SplitConfig = SplitConfig()
    overlap: OverlapConfig = OverlapConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    sequence_length: int = Field(default=256, ge=8)
    """Tokens the model predicts in one packed row; a stored row has one more."""
    max_repeats: int = Field(default=4, ge=1)
    """How often a text may stand in an epoch to give its kind the weight asked for. Muennighoff et al.
    (arXiv:2305.16264) find up to 4 times nearly as good as new text; GLaM saw Wikipedia 12 times."""
    judged_as: "DataConfig | None" = None
    """Another preparation, whose vocabulary and held-out text are taken, so that models trained on either are judged
    alike. What it holds out, and near duplicates of that, are not trained on here. None: its own."""

    @model_validator(mode="after")
    def judged_as_one_of_its_own(self) -> Self:
        if self.judged_as is not None and self.judged_as.judged_as is not None:
            raise ValueError("judged_as is itself judged as another preparation; name that one")
        if self.judged_as is not None and self.judged_as.split.seed != self.split.seed:
            raise ValueError(
                f"split.seed={self.split.seed}, but judged_as has {self.judged_as.split.seed}: units that it holds out "
                "are known by their draw, so both need the same seed"
            )
        return self


Activation = Literal["relu", "gelu", "silu"]

MAX_VOCABULARY = 1 << 31
"""Token ids are stored in at most 32 bits and looked up as signed ones."""


class ModelConfig(Config):
    """A decoder-only transformer in which every `moe_every`-th layer is a mixture of experts.

    The published GLaM layers are the defaults (gated GELU in the dense layers, ungated ReLU experts,
    T5 relative bias, tied embedding). With `num_experts=1` the mixture layers hold one expert and no
    router: that is how the dense twin of a sparse model is written down.
    """

    vocab_size: int = Field(ge=2, le=MAX_VOCABULARY)
    sequence_length: int = Field(default=1024, ge=1)
    """Tokens of the rows it is trained on (GLaM: 1,024); text is not generated beyond them."""
    num_layers: int = Field(ge=1)
    model_dim: int = Field(ge=1)
    num_heads: int = Field(ge=1)
    head_dim: int = Field(ge=1)
    """Of one head; heads * head_dim need not be `model_dim` (in GLaM 64B/64E it is twice that)."""
    hidden_dim: int = Field(ge=1)
    """Width of the dense feed-forward layers."""
    dense_gated: bool = True
    dense_activation: Activation = "gelu"
    moe_every: int = Field(default=2, ge=0)
    """Layers 0, moe_every, 2 * moe_every, ... are mixture layers; 0: there are none."""
    num_experts: int = Field(default=1, ge=1)
    """Experts in each mixture layer; 1 makes the model dense."""
    top_k: int = Field(default=1, ge=1)
    expert_hidden_dim: int = Field(default=0, ge=0)
    """Width of one expert; 0 stands for `hidden_dim`."""
    expert_gated: bool = False
    """GLaM's experts are not: gated ones would make 64B/64E 113.8 B active parameters, not the published 96.6 B."""
    expert_activation: Activation = "relu"
    """The default of Google's code for mixture layers; the Expert-Choice paper of the same team writes GELU."""
    router: Literal["top2_capacity", "top_k_dropless", "top_k_loss_free"] = "top_k_dropless"
    """How training routes; evaluation drops nothing whatever this says."""
    routing_group_tokens: int | None = Field(default=None, ge=1)
    """Consecutive tokens of a row that share expert capacity and balance; None: the whole row. Never "one group a
    device", as in GShard: what a model learns must not depend on how many devices trained it."""
    capacity_factor: float = Field(default=2.0, gt=0)
    """top2_capacity: slots of an expert in a group = group tokens * capacity_factor / experts (GShard: 2)."""
    second_policy: Literal["all", "random"] = "all"
    """top2_capacity: use the second expert always (praxis, lingvo), or with probability twice its weight (GShard)."""
    router_bias_rate: float = Field(default=0.001, gt=0)
    """top_k_loss_free: what a step adds to the bias of experts below the mean load, and takes from those above."""
    positions: Literal["t5_bias", "rope", "learned"] = "t5_bias"
    """GLaM's are t5_bias. "learned" is counted (GPT-3), not built."""
    restart_positions: bool = False
    """Counts rotary positions from the start of each document instead of the row. Rotary positions and T5's bias see
    differences alone, so this changes rounding and nothing else."""
    extra_logit: bool = False
    """Adds a logit of 0 to every attention softmax, so a head may attend to nothing (praxis, lingvo)."""

    @model_validator(mode="before")
    @classmethod
    def default_expert_width(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("expert_hidden_dim"):
            values = {**values, "expert_hidden_dim": values.get("hidden_dim", 0)}
        return values

    @model_validator(mode="after")
    def consistent(self) -> Self:
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k={self.top_k} exceeds num_experts={self.num_experts}")
        if self.num_experts > 1 and self.moe_every == 0:
            raise ValueError(f"num_experts={self.num_experts} but moe_every=0 leaves no layer to hold them")
        if self.positions == "rope" and self.head_dim % 2:
            raise ValueError(f"positions='rope' needs an even head_dim, not {self.head_dim}")
        if self.sequence_length % self.group_tokens:
            raise ValueError(
                f"routing_group_tokens={self.group_tokens} does not divide sequence_length={self.sequence_length}"
            )
        if self.num_experts > 1 and self.router == "top2_capacity":
            self._check_capacity()
        return self

    def _check_capacity(self) -> None:
        if self.top_k != 2:
            raise ValueError(f"router='top2_capacity' chooses two experts, top_k={self.top_k}")
        slots = self.group_tokens * self.capacity_factor / self.num_experts
        if slots < 1:
            raise ValueError(
                f"capacity_factor={self.capacity_factor:g} gives each of {self.num_experts} experts {slots:.2g} slots "
                f"in a routing group of {self.group_tokens} tokens; at least 1 is needed"
            )

    @property
    def group_tokens(self) -> int:
        """Tokens of one routing group of a full row."""
        return self.routing_group_tokens or self.sequence_length

    def is_mixture_layer(self, layer: int) -> bool:
        """Whether layer `layer` (from 0) is a mixture layer; the first of each group is, as published."""
        return self.moe_every > 0 and layer % self.moe_every == 0

    @property
    def num_mixture_layers(self) -> int:
        return sum(self.is_mixture_layer(layer) for layer in range(self.num_layers))


class TrainConfig(Config):
    """How a model is trained; loss is cross-entropy, the weights below multiply what is added to it."""

    num_steps: int = Field(ge=1)
    continues: int | None = Field(default=None, ge=1, exclude_if=lambda value: value is None)
    """Goes on from the end of the run that is the same but for its `num_steps`, which was this; None: from the start.
    It ends where a run of all the steps does if the schedule does not look at `num_steps` and, should it have to go
    back, `rollback_every` is set."""
    global_batch_size: int = Field(ge=1)
    """Sequences in one optimizer step, over all workers."""
    optimizer: str = "adafactor"
    """A key of `glam.training.optimizer.OPTIMIZERS`."""
    learning_rate: float = Field(default=0.01, gt=0)
    """At its highest. Adafactor multiplies it by the weights' RMS (GLaM: 0.01)."""
    schedule: str = "inverse_sqrt"
    """A key of `glam.training.schedule.SCHEDULES`."""
    warmup_steps: int = Field(default=0, ge=0)
    flat_steps: int = Field(default=10_000, ge=1)
    """inverse_sqrt: steps at full learning rate before the inverse square root sets in (GLaM: 10,000)."""
    decay_steps: int | None = Field(default=None, ge=1)
    """warmup_stable_decay: last steps, in which the rate falls to 0; None: a tenth of all."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.99, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    balance_weight: float = Field(default=0.01, ge=0)
    z_loss_weight: float = Field(default=0.0, ge=0)
    """Of the squared log-sum-exp of the routers' logits (ST-MoE: 0.001)."""
    output_z_loss_weight: float = Field(default=0.0, ge=0)
    """Of the squared log-sum-exp of the vocabulary's logits (praxis, lingvo: 0.0001; no paper says it of GLaM)."""
    precision: Literal["float32", "float64", "bfloat16"] = "float32"
    """bfloat16: products and activations in it, weights, router, softmax and losses in float32 (GLaM; autocast)."""
    seed: int = Field(default=0, ge=0)
    """Decides the initial weights and the order of the batches."""
    spike_nats: float | None = Field(default=2.0, gt=0)
    """A loss so far above the median of those before sends training back to an earlier checkpoint; None: none does."""
    rollback_every: int | None = Field(default=None, ge=1)
    """Steps between the checkpoints that training may go back to, whatever others are saved; None: a tenth of all."""
    max_rollbacks: int = Field(default=3, ge=0)
    """One more ends the run with an error."""
    heldout_every: int = Field(default=0, ge=0)
    """Steps between held-out losses on the training curve; 0: only at the end."""
    heldout_sequences: int = Field(default=64, ge=1)

    @model_validator(mode="after")
    def goes_on(self) -> Self:
        if self.continues is not None and self.continues >= self.num_steps:
            raise ValueError(f"continues={self.continues} leaves nothing to do of num_steps={self.num_steps}")
        return self

    @property
    def rollback_steps(self) -> int:
        """Steps between the checkpoints that training may go back to."""
        return self.rollback_every or max(1, self.num_steps // 10)

    @property
    def heldout_steps(self) -> tuple[int, ...]:
        """Steps after which the held-out loss is taken; the last step always is."""
        every = self.heldout_every or self.num_steps
        return tuple(sorted({*range(every, self.num_steps + 1, every), self.num_steps}))


Shots = Annotated[int, Field(ge=0)] | Literal["paper"]
"""Demonstrations before an item; `paper`: of each task as many as stand behind GLaM's few-shot score."""
Prompts = Literal["paper", "harness"]


class EvalConfig(Config):
    """Which tasks judge a checkpoint, and how."""

    tasks: tuple[str, ...] = ("heldout", "last_word", "continuation", "name_function")
    """Keys of `glam.evaluation.TASKS`."""
    shots: tuple[Shots, ...] = (0, 1, 4)
    """Demonstrations before each example, for the tasks that take any."""
    max_examples: int | None = Field(default=200, ge=1)
    """Of each task, drawn by seed; None: all there are."""
    seed: int = 0
    benchmarks: str | None = None
    """Folder with the files of published tasks, `<task>/eval.jsonl` and `<task>/train.jsonl`."""
    prompts: Prompts = "paper"
    """Whose wording and scoring, where both have a task: GLaM's or that of lm-evaluation-harness."""

    @model_validator(mode="after")
    def nothing_twice(self) -> Self:
        for name, given in (("tasks", self.tasks), ("shots", self.shots)):
            if len(set(given)) < len(given):
                raise ValueError(f"eval.{name}={list(given)} names one twice")
        return self


class Experiment(Config):
    """One model trained and judged: all that determines its scores."""

    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    eval: EvalConfig = EvalConfig()

    @model_validator(mode="after")
    def model_fits_data(self) -> Self:
        if self.model.vocab_size != self.data.tokenizer.vocab_size:
            raise ValueError(
                f"model.vocab_size={self.model.vocab_size} differs from "
                f"data.tokenizer.vocab_size={self.data.tokenizer.vocab_size}; set both"
            )
        if self.model.sequence_length != self.data.sequence_length:
            raise ValueError(
                f"model.sequence_length={self.model.sequence_length} differs from "
                f"data.sequence_length={self.data.sequence_length}; set both"
            )
        return self


class RunOptions(Config):
    """How an experiment is run: recorded beside the result, never part of its identity."""

    num_workers: int = Field(default=1, ge=1)
    """Training processes; each takes a share of every batch."""
    min_workers: int | None = Field(default=None, ge=1)
    """With how many training goes on where nodes were lost, at the same batch; None: it waits for `num_workers`."""
    layout: Literal["replicated", "sharded"] = "replicated"
    """Whether every worker holds the whole model, or a part of each parameter (FSDP2)."""
    expert_parallel: int = Field(default=1, ge=1)
    """Workers that share out the experts of a sparse model and exchange tokens; divides `num_workers`."""
    threads_per_worker: int = Field(default=2, ge=1)
    use_gpu: bool = False
    """Whether each worker has a GPU of its own. Written with care, untested: there was none to try it on."""
    micro_batch_size: int | None = Field(default=None, ge=1)
    """Sequences in one forward pass of a worker; None: the worker's whole share of the batch."""
    recompute_activations: bool = False
    """Keep only what enters each block and compute the rest again for the gradient: less memory, a third more work."""
    num_eval_actors: int = Field(default=2, ge=1)
    log_every: int | None = Field(default=None, ge=1)
    """Steps between records; None: every step of a run of up to 2,000, else at most as many."""
    save_every: int | None = Field(default=None, ge=1)
    """Steps between checkpoints; None: ten checkpoints a run. The newest two are kept."""
    keep_every: int | None = Field(default=None, ge=1)
    """Steps between checkpoints that are kept for good."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Training time after which a run stops, with a checkpoint to go on from."""
    max_joules: float | None = Field(default=None, gt=0)
    """The same by energy; where energy is unknown this stops nothing."""
    allow_different_numerics: bool = False
    """Whether arms are judged that were computed with other layouts, threads or versions; the verdict says so then."""
    profile: bool = False
    """Whether a few steps are profiled: a trace and a table of where a step's time goes, with the run's records."""

    @model_validator(mode="after")
    def expert_groups_fit(self) -> Self:
        if self.num_workers % self.expert_parallel:
            raise ValueError(
                f"expert_parallel={self.expert_parallel} does not divide num_workers={self.num_workers}; choose one "
                "that does"
            )
        return self

    @property
    def fewest_workers(self) -> int:
        """With which training starts or goes on."""
        return self.min_workers or self.num_workers

    @property
    def cpus_needed(self) -> int:
        """Without which nothing is started."""
        return self.fewest_workers * self.threads_per_worker

    @model_validator(mode="after")
    def may_lose_workers(self) -> Self:
        if self.min_workers is not None and self.min_workers > self.num_workers:
            raise ValueError(f"min_workers={self.min_workers} exceeds num_workers={self.num_workers}")
        if self.min_workers is not None and self.expert_parallel > 1:
            raise ValueError(
                f"min_workers={self.min_workers}: with expert_parallel={self.expert_parallel} every worker of a group "
                "holds experts that no other has; leave min_workers away"
            )
        return self
