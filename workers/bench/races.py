"""Training's benchmark. Names of rows stay, so that two results can be compared.

It trains on what `glam prepare quickstart` has made, in the store at hand.
"""

from collections.abc import Callable
from typing import Any

from glam.bench.measure import BenchError, Contestant
from glam.bench.model.races import PEER, rope_gated
from glam.bench.rows import MIB, Claim, Race, fact
from glam.config import ModelConfig
from glam.lineage import data_stages
from glam.recipes import PYTHON_DOCS
from glam.store import Store
from glam.study import dense_twin
from glam.variants import VARIANTS

OURS, THEIRS = "workers.bench.ours", "workers.bench.peer"
SIZE = "ladder_16m"
NUM_ROWS = 8
ROWS_OF_LOOP = 4
STEPS_OF_LOOP = 50
"""And a checkpoint once in so many."""
STEPS_OF_RUN = 22
MOST_SECONDS_TO_RESUME = 10.0
LATE_STEP = 90_000
LEAST_PLANNED = 0.85
"""Of the memory that is taken, and least taken of what is planned."""

MEASURED = ("small", "large", "small_many_rows")
"""Models and batches whose memory is held against the plan's."""


def races() -> list[Race]:
    """All of it, in the order in which it runs. Raises BenchError where quickstart is not prepared."""
    store = Store.default()
    if any(stage.find(store) is None for stage in data_stages(PYTHON_DOCS)):
        raise BenchError(f"quickstart is not prepared in {store.root}, and this trains on it: glam prepare quickstart")
    return [
        *(the_loop(store, kind) for kind in KINDS),
        under_ray(store),
        *(resuming(store, step) for step in (10, LATE_STEP)),
        two_workers(store),
        *(the_trainer(store, kind, precision) for precision in PRECISIONS for kind in KINDS),
        memory(store),
    ]


def the_loop(store: Store, kind: str) -> Race:
    """What the loop takes besides its steps, and what checkpoints take of that."""
    model = KINDS[kind](VARIANTS[f"{SIZE}_8e"])
    shape = {"num_rows": ROWS_OF_LOOP, "num_steps": STEPS_OF_LOOP}
    tokens = ROWS_OF_LOOP * STEPS_OF_LOOP * model.sequence_length
    contestants = {
        "bare": _contestant("bare_steps", store, model, tokens, **shape),
        "loop": _contestant("loop_steps", store, model, tokens, **shape),
        "with_checkpoints": _contestant("loop_steps", store, model, tokens, **shape, save_every=STEPS_OF_LOOP),
    }
    return Race(
        contestants,
        (
            Claim(f"loop_against_bare_steps/{kind}", "tokens/s", "with_checkpoints", "bare", 0.97),
            Claim(f"checkpoint_stall/{kind}", "tokens/s", "with_checkpoints", "loop", 0.98),
        ),
    )


def under_ray(store: Store) -> Race:
    """A whole run through Ray Train and in process."""
    model = VARIANTS[f"{SIZE}_8e"]
    shape = {"num_rows": NUM_ROWS, "num_steps": STEPS_OF_RUN, "optimizer": "adafactor"}
    contestants = {
        "ray": _contestant("run_under_ray", store, model, **shape),
        "alone": _contestant("run_alone", store, model, **shape),
    }
    return Race(
        contestants,
        (
            Claim("under_ray/step", "s", "ray", "alone", 0.98, fact("step_seconds"), less_is_better=True),
            Claim("under_ray/start_and_end", "s", "ray", "alone", None, fact("other_seconds"), less_is_better=True),
        ),
    )


def resuming(store: Store, step: int) -> Race:
    """From the start of a process to the end of its first step."""
    model = VARIANTS[f"{SIZE}_8e"]
    contestant = _contestant("first_step", store, model, num_rows=NUM_ROWS, resumed_from=step)
    claim = Claim(
        f"resume/first_step_after_{step}",
        "s",
        "resumed",
        "resumed",
        1.0,
        lambda _, measured: measured.median_seconds,
        other_measure=lambda _, __: MOST_SECONDS_TO_RESUME,
        less_is_better=True,
    )
    return Race({"resumed": contestant}, (claim,))


def two_workers(store: Store) -> Race:
    """Two workers of one thread against one of two threads, the same batch."""
    model = VARIANTS[f"{SIZE}_8e"]
    shape = {"num_rows": NUM_ROWS, "num_steps": STEPS_OF_RUN, "optimizer": "adafactor"}
    contestants = {
        "two": _contestant("run_under_ray", store, model, **shape, num_workers=2, threads=1),
        "one": _contestant("run_under_ray", store, model, **shape, num_workers=1, threads=2),
    }
    claim = Claim("two_workers_against_one", "s", "two", "one", 0.85, fact("step_seconds"), less_is_better=True)
    return Race(contestants, (claim,))


def the_trainer(store: Store, kind: str, precision: str) -> Race:
    """A step of a run as its user starts it, ours under Ray, and of transformers' Trainer, in the same precision."""
    model = KINDS[kind](rope_gated(SIZE))
    shape = {"num_rows": NUM_ROWS, "num_steps": STEPS_OF_RUN, "precision": precision}
    contestants = {
        "ours": _contestant("run_under_ray", store, model, **shape, optimizer="adamw"),
        "peer": Contestant(
            f"{THEIRS}:trainer", _arguments(store, model, **shape), our_allocator=False, package="accelerate"
        ),
    }
    name = f"training_against_{PEER}_trainer/{kind}{PRECISIONS[precision]}"
    return Race(contestants, (Claim(name, "s", "ours", "peer", 2.0, fact("step_seconds"), less_is_better=True),))


def memory(store: Store) -> Race:
    """What a worker takes for each parameter and for each token of its batch, and how much `glam plan` says it will.

    A plan that promises too little memory is one that fails, and one that asks for too much keeps people from training.
    """
    small, large = (VARIANTS[f"{SIZE}_{experts}"].model_dump(mode="json") for experts in ("8e", "32e"))
    arguments = {"store": str(store.root), "small": small, "large": large, "rows": (2, NUM_ROWS)}
    taken = [
        Claim(f"worker_memory/{name}", "bytes", "worker", "worker", None, fact(name))
        for name in ("bytes_per_parameter", "bytes_per_token")
    ]
    planned = [
        Claim(
            f"worker_memory/planned_{name}", "MiB", "worker", "worker", LEAST_PLANNED,
            fact(name), fact(f"{name}_planned"), scale=MIB, less_is_better=True,
        )
        for name in MEASURED
    ]  # fmt: skip
    needed = [
        Claim(
            f"worker_memory/needed_{name}", "MiB", "worker", "worker", LEAST_PLANNED,
            fact(name), fact(f"{name}_planned"), scale=MIB,
        )
        for name in MEASURED
    ]  # fmt: skip
    return Race({"worker": Contestant(f"{OURS}:worker_memory", arguments)}, (*taken, *planned, *needed))


PRECISIONS = {"float32": "", "bfloat16": "_bfloat16"}
"""And what they add to the name of a row."""

KINDS: dict[str, Callable[[ModelConfig], ModelConfig]] = {"sparse": lambda model: model, "dense": dense_twin}


def _contestant(builder: str, store: Store, model: ModelConfig, work: float = 1.0, **arguments: Any) -> Contestant:
    return Contestant(f"{OURS}:{builder}", _arguments(store, model, **arguments), work)


def _arguments(store: Store, model: ModelConfig, **arguments: Any) -> dict[str, Any]:
    return {"store": str(store.root), "model": model.model_dump(mode="json"), **arguments}
