"""Which folders a study reads and writes, by fingerprint: known before anything runs.

The floor on which "is it done already?" is answered, so it imports no torch, Ray or Prefect.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_
from typing import Any, Literal

from glam import analysis, data, evaluation, inference, training
from glam.config import Config, DataConfig, EvalConfig, Experiment, replace
from glam.data import benchmarks
from glam.data.identity import source_identity
from glam.data.mixture import mixture_weights
from glam.evaluation.names import identity, scoring, settings_of, shots_of
from glam.inference import InferenceConfig
from glam.records import Detour, Machine, Manifest
from glam.store import Folder, FolderReference, Store, fingerprint, library_versions
from glam.study import Study, changed_fields

Verb = Literal["classify", "prepare", "train", "evaluate", "compare"]
"""What happens to text on its way to a verdict, in this order; to classify is the first part of preparing."""
MACHINE = "machine"
"""In the config of a measurement, what it was made on."""


@dataclass(frozen=True)
class Stage:
    """One folder to be: its name, and everything that determines what it will hold."""

    reference: FolderReference
    config: Mapping[str, Any]
    reads: tuple[FolderReference, ...]
    revision: int
    libraries: Mapping[str, str]

    def find(self, store: Store) -> Folder | None:
        """The complete folder, or None."""
        return store.find_complete(self.reference.kind, self.reference.fingerprint)

    def commit(
        self, folder: Folder, *, numerics: Mapping[str, object] | None = None, detours: Sequence[Detour] = ()
    ) -> Manifest:
        """Completes this stage's folder with the manifest that says how it came about."""
        return folder.commit(
            config=self.config,
            reads=[str(read) for read in self.reads],
            revision=self.revision,
            libraries=self.libraries,
            numerics=numerics,
            detours=detours,
        )


@dataclass(frozen=True)
class DataStages:
    """The folders of one DataConfig, in the order in which they are made."""

    config: DataConfig
    extracted: Stage
    """corpora: documents that passed the rules, one file a shard, with the counted drops."""
    classifier: Stage
    """classifiers: weights of the quality classifier."""
    selected: Stage
    """corpora: training side and held-out side after quality, duplicates and split."""
    tokenizer: Stage
    heldout: Stage
    """heldout: text and token ids of the held-out side."""
    shards: Stage
    judged_as: "DataStages | None" = None
    """Of `config.judged_as`, made before these; tokenizer and heldout are its."""

    def __iter__(self) -> Iterator[Stage]:
        yield from (*self.until_classifier, self.selected, self.tokenizer, self.heldout, self.shards)

    @property
    def until_classifier(self) -> tuple[Stage, ...]:
        """The stages up to and with the quality classifier."""
        return (self.extracted, self.classifier)


@dataclass(frozen=True)
class RunStage:
    """One training run of a study."""

    arm: str
    seed: int
    experiment: Experiment
    prepared: DataStages
    stage: Stage
    origin: "RunStage | None" = None
    """The run whose end it goes on from."""

    def __iter__(self) -> Iterator["RunStage"]:
        """Those that it goes on from, and itself."""
        if self.origin is not None:
            yield from self.origin
        yield self


@dataclass(frozen=True)
class Checkpoint:
    """A trained model that is judged by itself."""

    label: str
    path: str
    """Folder with weights, configuration and vocabulary."""
    weights_sha256: str
    config_sha256: str
    tokenizer_sha256: str
    heldout: str | None
    """Fingerprint of text that was held out from its training; None: only benchmarks can be asked."""


@dataclass(frozen=True)
class ScoreStage:
    """One task at one number of shots on one checkpoint."""

    subject: RunStage | Checkpoint
    task: str
    num_shots: int
    judged: EvalConfig
    stage: Stage


@dataclass(frozen=True)
class InferenceStage:
    """What a checkpoint takes to write text on one machine."""

    subject: Checkpoint
    measured: InferenceConfig
    machine: Machine
    stage: Stage


@dataclass(frozen=True)
class StudyStages:
    """Every folder of a study, shared ones once."""

    data: tuple[DataStages, ...]
    runs: tuple[RunStage, ...]
    scores: tuple[ScoreStage, ...]
    verdict: Stage

    def __iter__(self) -> Iterator[Stage]:
        yield from self.until("compare")

    def until(self, verb: Verb) -> list[Stage]:
        """The stages up to and with those of a verb, in the order in which they run."""
        if verb == "classify":
            return [stage for data in self.data for stage in data.until_classifier]
        made: dict[Verb, list[Stage]] = {
            "prepare": [stage for data in self.data for stage in data],
            "train": [each.stage for run in self.runs for each in run],
            "evaluate": [score.stage for score in self.scores],
            "compare": [self.verdict],
        }
        verbs = list(made)
        return [stage for each in verbs[: verbs.index(verb) + 1] for stage in made[each]]


def data_stages(config: DataConfig) -> DataStages:
    """Stages of prepare. Raises ValueError for a source that does not exist or has no files."""
    judged = data_stages(config.judged_as) if config.judged_as is not None else None
    label = config.source.name
    source = source_identity(config.source)
    extracted = _stage(
        "corpora",
        f"{label}-extracted",
        {"source": source, "num_shards": config.source.num_shards, "filters": config.filters},
        (),
        data,
    )
    classifier = _stage("classifiers", label, {"quality": config.quality}, (extracted,), data)
    selected = _stage(
        "corpora",
        f"{label}-selected",
        {
            "quality": config.quality,
            "dedup": config.dedup,
            "split": config.split,
            "overlap": benchmarks.identity(config.overlap),
        },
        (extracted, classifier) if judged is None else (extracted, classifier, judged.selected),
        data,
    )
    if judged is not None:
        tokenizer, heldout = judged.tokenizer, judged.heldout
    else:
        tokenizer = _stage("tokenizers", label, {"tokenizer": config.tokenizer}, (selected,), data)
        heldout = _stage("heldout", label, {}, (selected, tokenizer), data)
    packing = {
        "sequence_length": config.sequence_length,
        "max_repeats": config.max_repeats,
        "weights": mixture_weights(config.source),
    }
    shards = _stage("shards", label, packing, (selected, tokenizer), data)
    return DataStages(config, extracted, classifier, selected, tokenizer, heldout, shards, judged)


def run_stage(arm: str, seed: int, experiment: Experiment, prepared: DataStages) -> RunStage:
    """The training run of an experiment over prepared data; its name does not depend on the arm's label."""
    origin = None
    if (steps_before := experiment.train.continues) is not None:
        before = replace(experiment, train={"num_steps": steps_before, "continues": None})
        origin = run_stage(arm, seed, before, prepared)
    reads = (prepared.shards, prepared.heldout, prepared.tokenizer)
    stage = _stage(
        "runs",
        f"{arm}-s{seed}",
        {"model": experiment.model, "train": experiment.train},
        reads if origin is None else (*reads, origin.stage),
        training,
    )
    return RunStage(arm, seed, experiment, prepared, stage, origin)


def score_stages(subject: RunStage | Checkpoint, judged: EvalConfig) -> Iterator[ScoreStage]:
    """One stage for every task and number of shots. A run's weights are named by its fingerprint: they may not be yet.

    Raises ValueError as `shots_of` and for an unknown task, BenchmarkError for files that are missing or not right.
    """
    for task in judged.tasks:
        settings = settings_of(task, judged)
        questions = identity(task, settings)
        asked: dict[str, Any] = {"seed": judged.seed, "max_examples": judged.max_examples}
        asked["scoring"] = scoring(task, settings.prompts)
        if questions is not None:
            asked |= {"questions": questions.asked, "prompts": settings.prompts}
        for num_shots in shots_of(task, judged.shots):
            config = {"task": task, "num_shots": num_shots, **asked}
            if questions is not None and num_shots:
                config["demonstrations"] = questions.pool
            yield ScoreStage(subject, task, num_shots, settings, _score_stage(subject, config, questions is None))


def _score_stage(subject: RunStage | Checkpoint, config: dict[str, Any], reads_heldout: bool) -> Stage:
    label = f"{config['task']}-{config['num_shots']}shot"
    if isinstance(subject, RunStage):
        prepared = subject.prepared
        texts = (prepared.heldout, prepared.tokenizer) if reads_heldout else (prepared.tokenizer,)
        run = subject.stage
        return _stage("scores", f"{run.reference.label}-{label}", config, (run, *texts), evaluation)
    config |= {
        "weights": subject.weights_sha256,
        "model": subject.config_sha256,
        "tokenizer": subject.tokenizer_sha256,
        "dtype": "float32",
    }
    if reads_heldout:
        config["heldout"] = subject.heldout
    return _stage("scores", f"{subject.label}-{label}", config, (), evaluation)


def inference_stage(
    subject: Checkpoint, measured: InferenceConfig, machine: Machine, run: FolderReference | None
) -> InferenceStage:
    """Named by weights, settings and machine; `run` is where the weights lie, None for a folder outside the store."""
    config = {
        "weights": subject.weights_sha256,
        "model": subject.config_sha256,
        "heldout": subject.heldout,
        "measured": measured,
        MACHINE: machine.model_dump(mode="json", exclude={"schema_version"}),
    }
    stage = _stage("inference", subject.label, config, (), inference)
    return InferenceStage(subject, measured, machine, stage if run is None else with_(stage, reads=(run,)))


def measured_elsewhere(stage: Stage, store: Store) -> Iterator[Folder]:
    """Complete folders with the same measurement of the same weights, whatever machine it was made on."""
    for folder in store.folders("inference"):
        if folder.complete:
            manifest = folder.manifest()
            same = {**manifest.config, MACHINE: None} == {**stage.config, MACHINE: None}
            if same and manifest.revision == stage.revision:
                yield folder


def study_stages(study: Study) -> StudyStages:
    """All stages of a study in the order in which they run."""
    prepared: dict[DataConfig, DataStages] = {}
    runs, scores = [], []
    for arm, seed, experiment in study.experiments():
        for config in filter(None, (experiment.data.judged_as, experiment.data)):
            if config not in prepared:
                prepared[config] = data_stages(config)
        run = run_stage(arm, seed, experiment, prepared[experiment.data])
        runs.append(run)
        scores += score_stages(run, experiment.eval)
    verdict = _stage(
        "verdicts",
        study.name,
        study.model_dump(mode="json", include={"arms", "pairs", "varies", "match"})
        | {"seeds": {arm: study.seeds_of(arm) for arm in study.arms}},
        (*(run.stage for run in runs), *(score.stage for score in scores)),
        analysis,
    )
    return StudyStages(tuple(prepared.values()), tuple(runs), tuple(scores), verdict)


def why_not_done(stage: Stage, store: Store) -> list[str]:
    """What sets a stage apart from the complete folder of its name that is most like it; empty where there is none.

    Its own fields where they differ; else which of the folders that it reads is another one.
    """
    reads = _by_label([str(read) for read in stage.reads])
    closest: list[str] | None = None
    for folder in store.folders(stage.reference.kind):
        if folder.reference.label != stage.reference.label or not folder.complete:
            continue
        manifest = folder.manifest()
        then = {**manifest.config, "revision": manifest.revision, "libraries": manifest.libraries}
        now = {**stage.config, "revision": stage.revision, "libraries": dict(stage.libraries)}
        found = [f"{path}: {old!r} -> {new!r}" for path, old, new in changed_fields(then, now)]
        if not found:
            before = _by_label(manifest.reads)
            found = [f"reads another {label}" for label, mark in reads.items() if before.get(label) != mark]
        if closest is None or len(found) < len(closest):
            closest = found
    return closest or []


def _by_label(names: Iterable[str]) -> dict[str, str]:
    parts = [name.rpartition("-") for name in names]
    return {label: mark for label, _, mark in parts}


def _stage(kind: str, label: str, config: Mapping[str, Any], reads: tuple[Stage, ...], room: Any) -> Stage:
    plain = {
        key: value.model_dump(mode="json") if isinstance(value, Config) else value for key, value in config.items()
    }
    mark = fingerprint(
        {"kind": kind, **plain},
        reads=[read.reference.fingerprint for read in reads],
        revision=room.REVISION,
        libraries=room.LIBRARIES,
    )
    return Stage(
        reference=FolderReference(kind=kind, label=label, fingerprint=mark),
        config=plain,
        reads=tuple(read.reference for read in reads),
        revision=room.REVISION,
        libraries=library_versions(room.LIBRARIES),
    )
