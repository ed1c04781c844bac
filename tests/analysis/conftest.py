"""A study at toy size and invented evidence for it: no training, no files."""

import math
from collections.abc import Callable

import pytest

from glam.analysis.evidence import RunEvidence, Score
from glam.analysis.judge import judge
from glam.analysis.verdict import Verdict
from glam.config import DataConfig, EvalConfig, Experiment, TokenizerConfig, TrainConfig, replace
from glam.records import EvalResult, HeldoutPoint, HeldoutRows, ItemScore, RunSummary, StepMetrics
from glam.study import Study, dense_twin
from glam.variants import VARIANTS

NUM_DOCUMENTS, NUM_UNITS = 120, 24
STEPS = (60, 120, 180, 240, 300)
TOKENS_PER_STEP = 4096
MakeStudy = Callable[..., Study]
MakeEvidence = Callable[..., dict[tuple[str, int], RunEvidence]]


def wobble(*parts: object) -> float:
    """A fixed number between -1 and 1 for its arguments."""
    return math.sin(sum((place + 1) * 12.9898 * hash_free(part) for place, part in enumerate(parts)) + 78.233)


def hash_free(part: object) -> float:
    return float(sum(ord(letter) for letter in str(part)))


def _heldout(arm: str, seed: int, effect: float) -> Score:
    items = []
    for number in range(NUM_DOCUMENTS):
        unit, tokens = f"package{number % NUM_UNITS}", 80 + 7 * (number % 13)
        loss = 4.2 + 0.4 * wobble(unit) + 0.05 * wobble("document", number) + 0.004 * seed
        if arm != "dense":
            loss -= effect + 0.02 * wobble("gain", unit) + 0.01 * wobble("noise", number, seed)
        items.append(
            ItemScore(item_id=f"d{number}", cluster=unit, value=loss * tokens, weight=tokens, bytes=3 * tokens)
        )
    nats, tokens = sum(item.value for item in items), sum(item.weight for item in items)
    return Score(
        EvalResult(
            task="heldout",
            num_shots=0,
            metric="cross_entropy",
            value=nats / tokens,
            num_examples=len(items),
            bits_per_byte=nats / math.log(2) / (3 * tokens),
        ),
        tuple(items),
    )


def _task(task: str, shots: int, arm: str, seed: int, accuracy: float, chance: float) -> Score:
    lift = 0.0 if arm == "dense" else 0.08
    items = tuple(
        ItemScore(
            item_id=f"q{number}",
            cluster=f"package{number % NUM_UNITS}",
            value=float(0.5 + 0.5 * wobble(task, number, seed % 2) < accuracy + lift),
        )
        for number in range(NUM_DOCUMENTS)
    )
    return Score(
        EvalResult(
            task=task,
            num_shots=shots,
            metric="accuracy",
            value=sum(item.value for item in items) / len(items),
            num_examples=len(items),
            chance=chance,
            majority=chance + 0.03,
            mean_demonstrations=0.8 * shots,
        ),
        items,
    )


def _run(arm: str, seed: int, effect: float, energy_method: str) -> RunEvidence:
    slow = 1.0 if arm == "dense" else 1.35
    known = energy_method != "none"
    points, steps = [], []
    for step in STEPS:
        loss = 3.0 + 3.1 * (step * TOKENS_PER_STEP / 1e5) ** -0.35 + 0.01 * wobble(arm, seed, step)
        loss -= 0.0 if arm == "dense" else effect * (step / STEPS[-1]) ** 0.5
        seconds = step * 0.21 * slow
        common = {"step": step, "tokens": step * TOKENS_PER_STEP, "loss": loss, "elapsed_seconds": seconds}
        points.append(HeldoutPoint(**common, energy_joules=14 * seconds if known else None))
        steps.append(
            StepMetrics(
                **common,
                grad_norm=0.5,
                learning_rate=2e-3,
                tokens_per_second=TOKENS_PER_STEP / 0.21 / slow,
                load_imbalance=None if arm == "dense" else 1.31,
            )
        )
    last = points[-1]
    joules = last.energy_joules
    summary = RunSummary(
        arm=arm,
        seed=seed,
        run_fingerprint=f"{int(hash_free(arm)):04x}{seed:012x}",
        total_params=1_450_000 if arm == "dense" else 3_010_000,
        active_params=1_450_000 if arm == "dense" else 1_454_000,
        flops_per_token=1.11e7,
        tokens=last.tokens,
        train_loss=last.loss - 0.02,
        heldout_loss=last.loss,
        elapsed_seconds=last.elapsed_seconds,
        tokens_per_second=last.tokens / last.elapsed_seconds,
        energy_joules=joules,
        energy_low_joules=None if joules is None else joules / 2,
        energy_high_joules=None if joules is None else joules * 15 / 7,
        energy_method=energy_method,  # pyright: ignore[reportArgumentType]
        num_workers=2,
        threads_per_worker=1,
    )
    scores = {("heldout", 0): _heldout(arm, seed, effect)}
    for task, accuracy, chance in (
        ("last_word", 0.2, 0.06),
        ("continuation", 0.33, 0.25),
        ("name_function", 0.3, 0.25),
    ):
        for shots in (0, 1, 4):
            scores[task, shots] = _task(task, shots, arm, seed, accuracy + 0.01 * shots, chance)
    return RunEvidence(
        summary=summary,
        steps=tuple(steps),
        heldout=tuple(points),
        scores=scores,
        numerics={"num_workers": 2, "threads_per_worker": 1, "torch": "2.13.0"},
        heldout_rows=tuple(_heldout_rows(arm, point) for point in points),
    )


def _heldout_rows(arm: str, point: HeldoutPoint) -> HeldoutRows:
    """Two rows of every unit, one as much above the mean as the next unit's are below it."""
    units = tuple(f"package{number // 2}" for number in range(2 * NUM_UNITS))
    apart = [0.3 * wobble("row", number // 4) + 0.01 * wobble(arm, number // 4) for number in range(len(units))]
    nats = [64 * (point.loss + (each if number % 4 < 2 else -each)) for number, each in enumerate(apart)]
    return HeldoutRows(step=point.step, nats=tuple(nats), tokens=(64,) * len(units), units=units)


@pytest.fixture
def make_study() -> MakeStudy:
    """A sparse arm and its dense twin; keyword `seeds`, `schedule`, `more` (number of further sparse arms)."""

    def make(*, seeds: tuple[int, ...] = (0, 1), schedule: str = "inverse_sqrt", more: int = 0) -> Study:
        sparse = Experiment(
            data=DataConfig(tokenizer=TokenizerConfig(vocab_size=512), sequence_length=64),
            model=VARIANTS["toy_4e"],
            train=TrainConfig(num_steps=STEPS[-1], global_batch_size=16, warmup_steps=20, schedule=schedule),
            eval=EvalConfig(),
        )
        arms = {"sparse": sparse, "dense": replace(sparse, model=dense_twin(sparse.model))}
        for number in range(more):
            arms[f"sparse_{8 << number}e"] = replace(sparse, model={"num_experts": 8 << number})
        return Study(name="toy", description="Invented numbers.", arms=arms, varies=("model",), seeds=seeds)

    return make


@pytest.fixture
def rungs(make_study: MakeStudy) -> Study:
    """Eight arms: a sparse, two larger sparse and a dense one, at two sizes, the larger size with fewer seeds."""
    small = make_study(more=2)
    arms = {f"{size}_{name}": arm for size in ("small", "large") for name, arm in small.arms.items()}
    return replace(
        small,
        arms=arms,
        pairs=tuple((arm, f"{arm.partition('_')[0]}_dense") for arm in arms if not arm.endswith("_dense")),
        seeds=(0,),
        arm_seeds={arm: (0, 1, 2) for arm in arms if arm.startswith("small")},
    )


@pytest.fixture
def make_evidence() -> MakeEvidence:
    """Evidence for a study in which sparse arms are better by `effect` nats per token."""

    def make(study: Study, *, effect: float = 0.045, energy_method: str = "power_model"):
        return {(arm, seed): _run(arm, seed, effect, energy_method) for arm, seed, _ in study.experiments()}

    return make


@pytest.fixture
def verdict(make_study: MakeStudy, make_evidence: MakeEvidence) -> Verdict:
    """Sparse against dense over two seeds, with the corpus' own report."""
    study = make_study()
    facts = {"documents": {"kept": 13210, "dropped": 2111}, "overlap_fraction": 0.031, "source": "python_docs"}
    return judge(study, make_evidence(study), data=facts)
