"""A small store with text, a finished study and its scores, an interrupted run, a running one and a broken one: nothing
was trained for it.
"""

import math
import os
import time
from pathlib import Path

from glam.analysis.evidence import RunEvidence, Score
from glam.analysis.judge import judge
from glam.analysis.verdict import Parameter, ScalingFit, ScalingPoint, Speedup, Verdict
from glam.config import DataConfig, Experiment, TokenizerConfig, TrainConfig, replace
from glam.records import (
    EvalResult,
    ExpertLoad,
    ExpertSpecialization,
    HeldoutPoint,
    ItemScore,
    RunSummary,
    StepMetrics,
)
from glam.store import Store
from glam.study import Study, dense_twin
from glam.variants import VARIANTS
from tests.dashboard.fabricated_data import write_data
from tests.dashboard.fabricated_scores import write_scores

STEPS = 300
TOKENS_PER_STEP = 4096
VERDICT, RUNNING, INTERRUPTED, HOSTILE = "a" * 16, "d" * 16, "e" * 16, "f" * 16
"""Fingerprints of the finished study and of two runs."""
HOSTILE_NAME = "<script>alert(1)</script>"
TASKS = (("last_word", 0.0), ("continuation", 0.25), ("name_function", 0.25))
SPECIALIZATION = ExpertSpecialization(
    num_tokens=600,
    by_kind={"word start": ((100,) * 8,) * 2, "number": ((0, 0, 400, 0, 0, 0, 0, 0),) * 2},
    by_source={
        "docs": ((60, 60, 300, 60, 60, 60, 60, 60),) * 2,
        "readme": ((40, 40, 200, 40, 40, 40, 40, 40),) * 2,
    },
)
"""Of two layers of eight experts, of which the third takes all numbers."""


def fabricate(root: Path) -> Store:
    """Fills an empty folder."""
    store = Store(root)
    study = _study()
    data = write_data(store)
    evidence = {(arm, seed): _evidence(arm, seed) for arm, seed, _ in study.experiments()}
    reads = []
    for arm, seed, experiment in study.experiments():
        run = evidence[arm, seed]
        with store.claim("runs", f"{arm}-s{seed}", run.summary.run_fingerprint) as folder:
            folder.append("steps.jsonl", run.steps)
            folder.append("heldout.jsonl", run.heldout)
            folder.append("experts.jsonl", _loads(seed) if arm == "sparse" else [])
            if arm == "sparse" and seed == 0:  # the other one was trained before such records
                folder.write_text("specialization.json", SPECIALIZATION.model_dump_json())
            folder.write_text("summary.json", run.summary.model_dump_json())
            config = experiment.model_dump(mode="json", include={"model", "train"})
            folder.commit(config=config, reads=[data], revision=1)
        reads.append(str(folder.reference))
        write_scores(store, folder.reference, run)
    with store.claim("verdicts", study.name, VERDICT) as folder:
        folder.write_text("verdict.json", with_speedups(judge(study, evidence)).model_dump_json())
        folder.write_text("report.html", "<!doctype html><title>quickstart</title>")
        folder.commit(config={}, reads=reads, revision=1)
    for label, mark, half in (("sparse-s2", RUNNING, 90), ("dense-s2", INTERRUPTED, 150)):
        with store.claim("runs", label, mark) as folder:
            folder.append("steps.jsonl", _evidence(label.partition("-")[0], 2).steps[:half])
    long_ago = time.time() - 3600
    os.utime(folder.path / "state.json", (long_ago, long_ago))
    with store.claim("runs", HOSTILE_NAME, HOSTILE) as folder:
        (folder.path / "steps.jsonl").write_text("{not json\n", "utf-8")
    return store


def with_speedups(verdict: Verdict) -> Verdict:
    """The same with what only rows of held-out text and several sizes would give."""
    speeds = {"tokens": 1.42, "flops": 1.42, "seconds": 1.05, "joules": 1.08}
    contrasts = [
        contrast.model_copy(
            update={
                "axes": tuple(
                    axis.model_copy(
                        update={
                            "speedup": Speedup(
                                value=speeds[axis.axis],
                                low=speeds[axis.axis] / 1.2,
                                high=speeds[axis.axis] * 1.25,
                                extrapolated=axis.axis in ("tokens", "flops"),
                                num_units=24,
                            )
                        }
                    )
                    for axis in contrast.axes
                )
            }
        )
        for contrast in verdict.contrasts
    ]
    points = [
        ScalingPoint(arm=f"{size}m_dense", seed=0, x=size * 1e13, loss=4.4 - 0.2 * place, fitted=4.39 - 0.2 * place)
        for place, size in enumerate((1, 4, 16))
    ]
    fit = ScalingFit(
        axis="flops",
        group="dense",
        formula="loss = E + A (C / C0)^-alpha",
        parameters={"alpha": Parameter(value=0.12, low=0.1, high=0.15)},
        reference_flops=4e13,
        points=tuple(points),
        num_distinct=3,
    )
    return verdict.model_copy(update={"contrasts": tuple(contrasts), "scaling": (fit,)})


def _loads(seed: int) -> list[ExpertLoad]:
    """Two layers of eight experts; at the end the last one of the second layer is dead."""
    return [
        ExpertLoad(
            step=step,
            load_LE=(
                tuple(1024 + int(200 * _wobble(step, expert, seed)) for expert in range(8)),
                tuple(1024 if expert < 7 or step < STEPS / 2 else 20 for expert in range(8)),
            ),
        )
        for step in range(1, STEPS + 1)
    ]


def _study() -> Study:
    sparse = Experiment(
        data=DataConfig(tokenizer=TokenizerConfig(vocab_size=4096)),
        model=VARIANTS["ladder_1m_8e"],
        train=TrainConfig(num_steps=STEPS, global_batch_size=16),
    )
    return Study(
        name="quickstart",
        arms={"sparse": sparse, "dense": replace(sparse, model=dense_twin(sparse.model))},
        seeds=(0, 1),
    )


def _evidence(arm: str, seed: int) -> RunEvidence:
    sparse = arm == "sparse"
    second = 0.27 if sparse else 0.2
    steps = tuple(
        StepMetrics(
            step=step,
            tokens=step * TOKENS_PER_STEP,
            loss=_loss(step, sparse, seed) + 0.05 * _wobble(step, seed),
            balance_loss=1.02 if sparse else None,
            router_entropy=1.9 - 0.5 * step / STEPS if sparse else None,
            dropped_fraction=0.0 if sparse else None,
            grad_norm=0.6,
            learning_rate=2e-3,
            load_imbalance=1.3 if sparse else None,
            elapsed_seconds=step * second,
            tokens_per_second=TOKENS_PER_STEP / second,
            energy_joules=step * second * 14,
            energy_method="power_model",
        )
        for step in range(1, STEPS + 1)
    )
    heldout = tuple(
        HeldoutPoint(
            step=each.step,
            tokens=each.tokens,
            loss=_loss(each.step, sparse, seed) + 0.08,
            elapsed_seconds=each.elapsed_seconds,
            energy_joules=each.energy_joules,
        )
        for each in steps[29::30]
    )
    last = steps[-1]
    joules = last.energy_joules or 0.0
    summary = RunSummary(
        arm=arm,
        seed=seed,
        run_fingerprint=f"{'1' if sparse else '2'}{seed:015x}",
        total_params=3_010_000 if sparse else 1_450_000,
        active_params=1_454_000 if sparse else 1_450_000,
        flops_per_token=1.11e7,
        tokens=last.tokens,
        train_loss=last.loss,
        heldout_loss=heldout[-1].loss,
        elapsed_seconds=last.elapsed_seconds,
        tokens_per_second=last.tokens_per_second,
        energy_joules=joules,
        energy_low_joules=joules / 2,
        energy_high_joules=joules * 2,
        energy_method="power_model",
        num_workers=2,
        threads_per_worker=1,
    )
    scores = {("heldout", 0): _heldout(heldout[-1].loss, seed)}
    for task, chance in TASKS:
        for shots in (0, 1, 4):
            scores[task, shots] = _score(task, shots, chance, sparse)
    return RunEvidence(summary=summary, steps=steps, heldout=heldout, scores=scores, numerics={})


def _loss(step: int, sparse: bool, seed: int) -> float:
    return 4.1 + 4.2 * math.exp(-step / 70) - (0.06 * step / STEPS if sparse else 0) + 0.01 * seed


def _wobble(*parts: float) -> float:
    return math.sin(sum((place + 1) * 12.9898 * part for place, part in enumerate(parts)) * 43.7)


def _heldout(loss: float, seed: int) -> Score:
    items = tuple(
        ItemScore(
            item_id=f"d{number}",
            cluster=f"package{number % 24}",
            value=(loss + 0.3 * _wobble(number) + 0.01 * _wobble(number, seed + loss)) * 100,
            weight=100,
            bytes=300,
        )
        for number in range(120)
    )
    result = EvalResult(task="heldout", num_shots=0, metric="cross_entropy", value=loss, num_examples=120)
    return Score(result.model_copy(update={"bits_per_byte": loss / math.log(2) / 3}), items)


def _score(task: str, shots: int, chance: float, sparse: bool) -> Score:
    bar = chance + 0.08 + 0.01 * shots + (0.05 if sparse else 0)
    items = tuple(
        ItemScore(
            item_id=f"q{number}",
            cluster=f"package{number % 24}",
            value=float(0.5 + 0.5 * _wobble(number, len(task)) < bar),
        )
        for number in range(120)
    )
    value = sum(item.value for item in items) / len(items)
    result = EvalResult(
        task=task, num_shots=shots, metric="accuracy", value=value, num_examples=120, chance=chance or None
    )
    return Score(result, items)
