"""How fast trained models write text: one Ray actor an arm on this machine, by turns, so that what the machine does
meanwhile falls on all of them alike, and memory is that arm's.

Every arm goes through the batch sizes in rising order.
"""

import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from glam.config import ModelConfig
from glam.data.heldout import HeldOut
from glam.data.tokenizer import END_OF_TEXT_ID
from glam.energy.account import joules_per_token, total
from glam.inference import RESULT
from glam.lineage import InferenceStage
from glam.model.saved import CONFIG
from glam.records import InferencePoint, InferenceResult
from glam.store import Store, StoreError
from workers.numerics import numerics
from workers.writer import Turn, Writer

ROUNDS = 5
ROUND_SECONDS = 1.0
"""A round is at least one whole call, and as many as begin within this time; a fifth of it more for first tokens."""
REST_SECONDS = 0.05
"""Between turns: threads of the one before go on spinning for some milliseconds."""

Rows = list[list[int]]
Prompts = Literal["held-out text", "random ids"]
OnPoint = Callable[[InferenceStage, InferencePoint], None]


def measure(stages: Sequence[InferenceStage], store: Store, *, on_point: OnPoint) -> None:
    """Makes the missing folders, all of them with the same settings. Expects a connected Ray.

    `on_point` is called for every arm at every batch size. Raises StoreError, with the reason, for a model that cannot
    write; then none of the folders is made.
    """
    with ExitStack() as claims:
        wanted = {stage.stage.reference.fingerprint: stage for stage in stages}
        folders = {}
        # One order for everybody: two jobs that want each other's folders would wait for ever.
        for mark in sorted(wanted):
            folder = claims.enter_context(store.claim(**wanted[mark].stage.reference.model_dump()))
            if not folder.complete:  # else somebody else's, meanwhile
                folders[mark] = folder
        missing = [stage for mark, stage in wanted.items() if mark in folders]

        def report(stage: InferenceStage, point: InferencePoint) -> None:
            for folder in folders.values():
                folder.heartbeat()
            on_point(stage, point)

        for stage, result in zip(missing, _by_turns(missing, store, report), strict=True):
            folder = folders[stage.stage.reference.fingerprint]
            folder.write_text(RESULT, result.model_dump_json(indent=1) + "\n")
            stage.stage.commit(folder, numerics=numerics(threads=stage.measured.threads))


class _Arm:
    """A stage and the actor that measures it."""

    def __init__(self, stage: InferenceStage, store: Store, gpu_share: float):
        self.stage, folder = stage, Path(stage.subject.path)
        self.model = ModelConfig.model_validate_json((folder / CONFIG).read_bytes())
        self.prompts: Prompts
        rows, self.prompts = prompts(stage, self.model, store)
        # Here and nowhere else, for the folder is named after this machine. Only one works at a time.
        here: Any = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        num_gpus = gpu_share if stage.measured.use_gpu else 0
        remote: Any = ray.remote(num_cpus=0, num_gpus=num_gpus, scheduling_strategy=here)(Writer)
        self._actor = remote.remote(str(folder), rows, stage.measured, ROUND_SECONDS)
        self._weight_bytes: int = self.ask("load")
        self.points: list[InferencePoint] = []

    def ask(self, method: str, *arguments: int) -> Any:
        """What the actor answers. Raises StoreError with the reason where it fails."""
        try:
            return ray.get(getattr(self._actor, method).remote(*arguments))
        except RayTaskError as error:
            raise StoreError(f"{self.stage.subject.label} could not be measured: {error.cause}") from error

    def point(self, batch_size: int, turns: Sequence[Turn]) -> InferencePoint:
        """What the turns at one batch size come to."""
        energy, num_calls = total(turn.energy for turn in turns), sum(turn.num_calls for turn in turns)
        call_seconds = tuple(turn.seconds / turn.num_calls for turn in turns)
        tokens = batch_size * self.stage.measured.new_tokens
        return InferencePoint(
            batch_size=batch_size,
            tokens_per_second=tokens / statistics.median(call_seconds),
            call_seconds=call_seconds,
            first_token_seconds=statistics.median(turn.first_token_seconds for turn in turns),
            joules_per_token=joules_per_token(energy.joules, num_calls * tokens),
            low_joules_per_token=joules_per_token(energy.low_joules, num_calls * tokens),
            high_joules_per_token=joules_per_token(energy.high_joules, num_calls * tokens),
            energy_method=energy.method,
            call_joules=tuple(
                None if turn.energy.joules is None else turn.energy.joules / turn.num_calls for turn in turns
            ),
            flops_per_token=self.stage.measured.flops_per_token(self.model),
            weight_bytes=self._weight_bytes,
            cache_bytes=self.ask("cache_bytes", batch_size),
            peak_bytes=self.ask("peak_bytes"),
        )

    def result(self, session: str) -> InferenceResult:
        """All of it."""
        measured = self.stage.measured
        return InferenceResult(
            label=self.stage.subject.label,
            run_fingerprint=next((read.fingerprint for read in self.stage.stage.reads), None),
            prompt_tokens=measured.prompt_tokens,
            new_tokens=measured.new_tokens,
            threads=measured.threads,
            prompts=self.prompts,
            session=session,
            machine=self.stage.machine,
            points=tuple(self.points),
        )


def _by_turns(stages: Sequence[InferenceStage], store: Store, on_point: OnPoint) -> list[InferenceResult]:
    arms = [_Arm(stage, store, gpu_share=1 / len(stages)) for stage in stages]
    for batch_size in stages[0].measured.batch_sizes if stages else ():
        for arm in arms:
            arm.ask("warm_up", batch_size)
        turns: list[list[Turn]] = [[] for _ in arms]
        for _ in range(ROUNDS):
            for arm, taken in zip(arms, turns, strict=True):
                time.sleep(REST_SECONDS)
                taken.append(arm.ask("turn", batch_size))
        for arm, taken in zip(arms, turns, strict=True):
            arm.points.append(arm.point(batch_size, taken))
            on_point(arm.stage, arm.points[-1])
    session = uuid.uuid4().hex[:16]
    return [arm.result(session) for arm in arms]


def prompts(stage: InferenceStage, model: ModelConfig, store: Store) -> tuple[Rows, Prompts]:
    """As many rows as the largest batch has, of `prompt_tokens` ids each, and what they are.

    Beginnings of held-out pieces, over again where there are fewer; ids drawn at random where no piece is long enough
    or there is no such text. None of the latter is end-of-text.
    """
    measured, heldout = stage.measured, stage.subject.heldout
    wanted, length = measured.batch_sizes[-1], measured.prompt_tokens
    texts: Rows = []
    if heldout is not None:
        found = HeldOut(store.open("heldout", heldout).path)
        windows = found.sample(length, found.facts.num_tokens)
        texts = [window.ids[:length] for window in windows if len(window.ids) >= length][:wanted]
    if texts:
        return [texts[place % len(texts)] for place in range(wanted)], "held-out text"
    drawn = np.random.default_rng(0).integers(END_OF_TEXT_ID + 1, model.vocab_size, (wanted, length))
    return drawn.tolist(), "random ids"
