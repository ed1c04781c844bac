"""A trained model that writes text while it is measured: one process, one arm, one turn at a time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch._dynamo  # 80 MB that torch loads with the first call of a mixture: no part of what weights take

from glam.energy.account import Energy, between
from glam.energy.meter import open_meter
from glam.inference import InferenceConfig
from glam.memory import peak_bytes
from glam.model.generation import bytes_of_position, generate
from glam.model.generation_config import GenerationConfig
from glam.model.saved import load_model

WARM_UP_CALLS = 2
LONG_ENOUGH_SECONDS = 10.0
"""The first calls build thread pools and grow the heap; one that takes so long has done so."""
FIRST_TOKEN_SHARE = 0.2
"""Of a round's time goes to calls that write one token."""


@dataclass(frozen=True)
class Turn:
    """What one arm did when it was its turn."""

    first_token_seconds: float
    """Mean of its calls that write one token."""
    seconds: float
    """Of all whole calls, as `energy`."""
    num_calls: int
    energy: Energy


class Writer:
    """The model of a folder, and prompts: as many `rows` as the largest batch has.

    What may fail is in `load`: of an actor that cannot be made Ray says that it broke down.
    """

    def __init__(self, folder: str, rows: Sequence[Sequence[int]], measured: InferenceConfig, round_seconds: float):
        self._folder, self._rows = Path(folder), rows
        self._measured, self._round_seconds = measured, round_seconds

    def load(self) -> int:
        """Loads the weights, and says how many bytes they are. Raises ValueError as `load_model` does."""
        torch.set_num_threads(self._measured.threads)
        self._before_weights = peak_bytes()
        self._model = load_model(self._folder)
        if self._measured.use_gpu:
            self._model.cuda()
        self._meter = open_meter()
        held = (*self._model.parameters(), *self._model.buffers())
        return sum(each.numel() * each.element_size() for each in held)

    def warm_up(self, batch_size: int) -> None:
        """Calls whose time does not count."""
        if self._measured.use_gpu:
            torch.cuda.reset_peak_memory_stats()
        for _ in range(WARM_UP_CALLS):
            if self._write(batch_size, self._measured.new_tokens) >= LONG_ENOUGH_SECONDS:
                break

    def turn(self, batch_size: int) -> Turn:
        """One token of every row, then all of them, again and again until the round is over."""
        seconds, num_calls = self._again(batch_size, 1, self._round_seconds * FIRST_TOKEN_SHARE)
        first_token_seconds = seconds / num_calls
        before = self._meter.read()
        seconds, num_calls = self._again(batch_size, self._measured.new_tokens, self._round_seconds)
        return Turn(first_token_seconds, seconds, num_calls, between(before, self._meter.read()))

    def cache_bytes(self, batch_size: int) -> int:
        """Of keys and values of all rows at their full length."""
        positions = self._measured.prompt_tokens + self._measured.new_tokens
        return batch_size * positions * bytes_of_position(self._model)

    def peak_bytes(self) -> int:
        """The most held so far, as `InferencePoint.peak_bytes`."""
        if self._measured.use_gpu:
            return torch.cuda.max_memory_allocated()
        return peak_bytes() - self._before_weights

    def _again(self, batch_size: int, new_tokens: int, enough_seconds: float) -> tuple[float, int]:
        """(seconds of all calls, their number): at least one, and as many as begin within `enough_seconds`."""
        seconds, num_calls = self._write(batch_size, new_tokens), 1
        while seconds < enough_seconds:
            seconds += self._write(batch_size, new_tokens)
            num_calls += 1
        return seconds, num_calls

    def _write(self, batch_size: int, new_tokens: int) -> float:
        """Seconds of one call; there is no end-of-text, so every row writes all of them."""
        rows, config = self._rows[:batch_size], GenerationConfig(max_new_tokens=new_tokens)
        start = time.perf_counter()
        written = generate(self._model, rows, config, max_cache_bytes=self.cache_bytes(batch_size)).rows
        seconds = time.perf_counter() - start
        assert [len(row) for row in written] == [new_tokens] * batch_size, "a row ended early"
        return seconds
