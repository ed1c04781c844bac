"""The peer: transformers' Trainer on the same text, with the model of the same shape, as its user starts it."""

import tempfile
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import torch

from glam.bench.model.peer import build
from glam.config import ModelConfig, RunOptions
from glam.data.loader import Loader
from workers.bench.ours import WARM_UP_STEPS, Call, prepared_shards

# Any: types are checked where the extra is not installed too.
transformers: Any = import_module("transformers")


EXPERTS = "grouped_mm"
"""What transformers takes where nothing is said."""


def trainer(store: str, model: Mapping[str, Any], num_rows: int, num_steps: int, precision: str) -> Call:
    """Fact: seconds of a step once it is warm. All but size, length, precision and reports are its defaults."""
    torch.set_num_threads(RunOptions().threads_per_worker)
    ours = ModelConfig.model_validate(model)
    loader = Loader(prepared_shards(store), global_batch_size=num_rows, seed=0)
    rows = [row[:-1].tolist() for step in range(num_steps) for row in loader.batch(step)]
    examples = [{"input_ids": row, "labels": row} for row in rows]

    def call() -> dict[str, float]:
        ends: list[float] = []

        class Clock(transformers.TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                ends.append(time.perf_counter())

        with tempfile.TemporaryDirectory() as place:
            settings = transformers.TrainingArguments(
                output_dir=place,
                max_steps=num_steps,
                per_device_train_batch_size=num_rows,
                bf16=precision == "bfloat16",
                use_cpu=not torch.cuda.is_available(),
                report_to="none",
                disable_tqdm=True,
            )
            made = transformers.Trainer(
                model=build(ours, EXPERTS), args=settings, train_dataset=examples, callbacks=[Clock()]
            )
            made.train()
        return {"step_seconds": (ends[-1] - ends[WARM_UP_STEPS - 1]) / (len(ends) - WARM_UP_STEPS)}

    return call
