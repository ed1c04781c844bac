"""A store of many large runs that nobody trained, to measure pages on: studies of two arms with four seeds each.

Two runs are written, a sparse and a dense one with all their scores; the others are hard links to their large files
with summaries, names and manifests of their own. What they hold is made up and says nothing about any model.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glam.analysis.evidence import RunEvidence, Score
from glam.analysis.judge import judge
from glam.config import DataConfig, Experiment, TokenizerConfig, TrainConfig, replace
from glam.records import (
    EvalResult,
    ExpertLoad,
    FileEntry,
    HeldoutPoint,
    ItemScore,
    Record,
    RunSummary,
    StepMetrics,
)
from glam.store import Folder, Store, fingerprint
from glam.store.folder import MANIFEST, STATE
from glam.store.identity import file_sha256
from glam.store.tables import write_table
from glam.study import Study, dense_twin
from glam.variants import VARIANTS

SEEDS = (0, 1, 2, 3)
ARMS = ("sparse", "dense")
NUM_TASKS = 10
NUM_LAYERS, NUM_EXPERTS = 4, 16
NUM_HELDOUT_POINTS = 100
TOKENS_PER_STEP = 4096
JUDGED_ITEMS = 24
"""Of each task, by which verdicts are made: they hold no items."""


@dataclass(frozen=True)
class Size:
    """Of the store."""

    num_runs: int = 200
    """A multiple of eight."""
    num_steps: int = 100_000
    num_items: int = 100_000
    """Of each run, over all its tasks."""


def make_store(root: Path, size: Size) -> Store:
    """Fills an empty folder; some 200 MB at full size, as hard links count once."""
    store = Store(root)
    first = _study(0, size)
    originals = {arm: _write_run(store, arm, 0, experiment, size) for arm, _, experiment in _first_seed(first)}
    scores = {arm: list(_write_scores(store, originals[arm], arm, size)) for arm in ARMS}
    verdict = judge(first, {(arm, seed): _evidence(arm, seed, size) for arm in ARMS for seed in SEEDS})
    for number in range(size.num_runs // (len(ARMS) * len(SEEDS))):
        study = f"study{number:02d}"
        summaries: list[RunSummary] = []
        for arm in ARMS:
            for seed in SEEDS:
                if (number, seed) == (0, 0):
                    summaries.append(_summary(arm, seed, originals[arm].reference.fingerprint, size))
                    continue
                mark = _mark("runs", study, arm, seed)
                summaries.append(_summary(arm, seed, mark, size))
                run = _linked(store, originals[arm], f"{arm}-s{seed}", mark, summaries[-1], reads=())
                for score in scores[arm]:
                    label = score.reference.label.replace(f"{arm}-s0", f"{arm}-s{seed}", 1)
                    mark_of_score = _mark(score.reference.label, study, arm, seed)
                    _linked(store, score, label, mark_of_score, None, reads=(str(run.reference),))
        runs = [
            record.model_copy(update={"summary": summary})
            for record, summary in zip(verdict.runs, summaries, strict=True)
        ]
        with store.claim("verdicts", study, _mark("verdicts", study, "", 0)) as folder:
            own = verdict.model_copy(update={"study": study, "runs": tuple(runs)})
            folder.write_text("verdict.json", own.model_dump_json())
            reads = [f"runs/{each.arm}-s{each.seed}-{each.run_fingerprint}" for each in summaries]
            folder.commit(config={}, reads=reads, revision=1)
    return store


def _study(number: int, size: Size) -> Study:
    sparse = Experiment(
        data=DataConfig(tokenizer=TokenizerConfig(vocab_size=4096)),
        model=VARIANTS["ladder_1m_8e"],
        train=TrainConfig(num_steps=size.num_steps, global_batch_size=16),
    )
    arms = {"sparse": sparse, "dense": replace(sparse, model=dense_twin(sparse.model))}
    return Study(name=f"study{number:02d}", arms=arms, seeds=SEEDS)


def _first_seed(study: Study) -> Iterator[tuple[str, int, Experiment]]:
    return ((arm, seed, experiment) for arm, seed, experiment in study.experiments() if seed == SEEDS[0])


def _write_run(store: Store, arm: str, seed: int, experiment: Experiment, size: Size) -> Folder:
    mark = _mark("runs", "study00", arm, seed)
    with store.claim("runs", f"{arm}-s{seed}", mark) as folder:
        _write_lines(folder, "steps.jsonl", _steps(arm, seed, size))
        folder.append("heldout.jsonl", _heldout(arm, seed, size))
        if arm == "sparse":
            _write_lines(folder, "experts.jsonl", _loads(size))
        folder.write_text("summary.json", _summary(arm, seed, mark, size).model_dump_json())
        folder.commit(config=experiment.model_dump(mode="json", include={"model", "train"}), revision=1)
    return folder


def _write_scores(store: Store, run: Folder, arm: str, size: Size) -> Iterator[Folder]:
    for number in range(NUM_TASKS):
        task = f"task_{number}"
        label = f"{run.reference.label}-{task}-0shot"
        with store.claim("scores", label, _mark(label, "study00", arm, 0)) as folder:
            items = tuple(_items(arm, number, size.num_items // NUM_TASKS, long=True))
            write_table(folder, "items.parquet", items)
            folder.write_text("result.json", _result(task, items).model_dump_json())
            if arm == "sparse":
                folder.write_text("experts.json", ExpertLoad(step=0, load_LE=_load(number)).model_dump_json())
            folder.commit(config={"task": task, "num_shots": 0}, reads=[str(run.reference)], revision=1)
        yield folder


def _linked(
    store: Store, original: Folder, label: str, mark: str, summary: RunSummary | None, *, reads: Sequence[str]
) -> Folder:
    """A complete folder under another name that shares the large files of the original."""
    reference = store.reference(original.reference.kind, label, mark)
    folder = Folder(store.root / reference.kind / f"{reference.label}-{mark}", reference)
    folder.path.mkdir(parents=True)
    manifest, files = original.manifest(), []
    os.link(original.path / STATE, folder.path / STATE)
    for entry in manifest.files:
        if summary is not None and entry.name == "summary.json":
            path = folder.write_text(entry.name, summary.model_dump_json())
            files.append(FileEntry(name=entry.name, size_bytes=path.stat().st_size, sha256=file_sha256(path)))
        else:
            os.link(original.path / entry.name, folder.path / entry.name)
            files.append(entry)
    named = {"label": reference.label, "fingerprint": mark, "reads": tuple(reads), "files": tuple(files)}
    own = manifest.model_copy(update=named)
    folder.write_text(MANIFEST, own.model_dump_json(indent=1))
    return folder


def _write_lines(folder: Folder, name: str, records: Iterator[Record]) -> None:
    with folder.create(name) as out:
        out.writelines(record.model_dump_json().encode() + b"\n" for record in records)


def _steps(arm: str, seed: int, size: Size) -> Iterator[StepMetrics]:
    sparse, second = arm == "sparse", 0.27 if arm == "sparse" else 0.2
    for step in range(1, size.num_steps + 1):
        yield StepMetrics(
            step=step,
            tokens=step * TOKENS_PER_STEP,
            loss=_loss(arm, seed, step / size.num_steps) + 0.05 * _wobble(step, seed),
            balance_loss=1.02 if sparse else None,
            grad_norm=0.6 + 0.1 * _wobble(step),
            learning_rate=2e-3,
            load_imbalance=1.3 if sparse else None,
            router_entropy=1.8 if sparse else None,
            elapsed_seconds=step * second,
            tokens_per_second=TOKENS_PER_STEP / second,
            energy_joules=step * second * 14,
            energy_method="power_model",
            mfu=0.3,
        )


def _heldout(arm: str, seed: int, size: Size) -> tuple[HeldoutPoint, ...]:
    every, second = max(1, size.num_steps // NUM_HELDOUT_POINTS), 0.27 if arm == "sparse" else 0.2
    return tuple(
        HeldoutPoint(
            step=step,
            tokens=step * TOKENS_PER_STEP,
            loss=_loss(arm, seed, step / size.num_steps) + 0.08,
            elapsed_seconds=step * second,
            energy_joules=step * second * 14,
        )
        for step in range(every, size.num_steps + 1, every)
    )


def _loads(size: Size) -> Iterator[ExpertLoad]:
    return (ExpertLoad(step=step, load_LE=_load(step)) for step in range(1, size.num_steps + 1))


def _load(number: int) -> tuple[tuple[int, ...], ...]:
    return tuple(
        tuple(1000 + (number * 31 + layer * 17 + expert * 97) % 400 for expert in range(NUM_EXPERTS))
        for layer in range(NUM_LAYERS)
    )


def _summary(arm: str, seed: int, mark: str, size: Size) -> RunSummary:
    sparse, last = arm == "sparse", _heldout(arm, seed, size)[-1]
    return RunSummary(
        arm=arm,
        seed=seed,
        run_fingerprint=mark,
        total_params=3_010_000 if sparse else 1_450_000,
        active_params=1_454_000 if sparse else 1_450_000,
        flops_per_token=1.11e7,
        tokens=last.tokens,
        train_loss=_loss(arm, seed, 1.0),
        heldout_loss=last.loss,
        elapsed_seconds=last.elapsed_seconds,
        tokens_per_second=TOKENS_PER_STEP / (0.27 if sparse else 0.2),
        energy_joules=last.energy_joules,
        energy_method="power_model",
        num_workers=1,
        threads_per_worker=1,
    )


def _evidence(arm: str, seed: int, size: Size) -> RunEvidence:
    """What a verdict needs of a run."""
    scores = {("heldout", 0): _heldout_score(arm, seed, size)}
    for number in range(NUM_TASKS):
        items = tuple(_items(arm, number, JUDGED_ITEMS, long=False))
        scores[f"task_{number}", 0] = Score(_result(f"task_{number}", items), items)
    last = StepMetrics(
        step=size.num_steps,
        tokens=size.num_steps * TOKENS_PER_STEP,
        loss=_loss(arm, seed, 1.0),
        grad_norm=0.6,
        learning_rate=2e-3,
        elapsed_seconds=1.0,
        tokens_per_second=1.0,
    )
    summary = _summary(arm, seed, _mark("runs", "study00", arm, seed), size)
    return RunEvidence(summary=summary, steps=(last,), heldout=_heldout(arm, seed, size), scores=scores, numerics={})


def _heldout_score(arm: str, seed: int, size: Size) -> Score:
    loss = _heldout(arm, seed, size)[-1].loss
    items = tuple(
        ItemScore(
            item_id=f"d{each}", cluster=f"unit{each}", value=100 * (loss + 0.1 * _wobble(each)), weight=100, bytes=300
        )
        for each in range(JUDGED_ITEMS)
    )
    result = EvalResult(task="heldout", num_shots=0, metric="cross_entropy", value=loss, num_examples=JUDGED_ITEMS)
    return Score(result, items)


def _items(arm: str, task: int, count: int, *, long: bool) -> Iterator[ItemScore]:
    text = "A passage of the length that a question has which is asked with some demonstrations before it. " * 8
    for number in range(count):
        chosen = (number * 7 + task + (0 if arm == "sparse" else number // 3)) % 4
        yield ItemScore(
            item_id=f"item{number:06d}",
            cluster=f"cluster{number % 500}",
            value=float(chosen == 0),
            prompt=f"{text}Question {number} of task {task}?\nAnswer:" if long else None,
            choices=(" the first", " the second", " the third", " the fourth"),
            right=(0,),
            log_likelihoods=(-1.0, -2.0, -3.0, -4.0),
            choice_tokens=(2, 2, 2, 2),
            chosen=chosen,
        )


def _result(task: str, items: Sequence[ItemScore]) -> EvalResult:
    value = sum(item.value or 0.0 for item in items) / len(items)
    return EvalResult(
        task=task,
        num_shots=0,
        metric="accuracy",
        value=value,
        low=max(0.0, value - 0.02),
        high=min(1.0, value + 0.02),
        num_examples=len(items),
        chance=0.25,
    )


def _loss(arm: str, seed: int, part: float) -> float:
    return 3.1 + 5.2 * math.exp(-part * 8) - (0.06 * part if arm == "sparse" else 0.0) + 0.01 * seed


def _wobble(*parts: float) -> float:
    return math.sin(sum((place + 1) * 12.9898 * part for place, part in enumerate(parts)) * 43.7)


def _mark(kind: str, study: str, arm: str, seed: int) -> str:
    return fingerprint({"kind": kind, "study": study, "arm": arm, "seed": seed}, revision=1)
