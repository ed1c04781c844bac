"""Contestants side by side: each in a process of its own, running by turns, so that what the machine does meanwhile
falls on all of them alike.

No torch in this process: the allocator's settings are read when a process starts, and imports are not measured.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from glam.environment import CPU_ALLOCATOR

WARM_UP_ROUNDS = 2
LONG_ENOUGH_SECONDS = 10.0
"""The first calls build thread pools and grow the heap; one that takes so long has done so."""
REST_SECONDS = 0.02
"""Between turns: threads of the one before go on spinning for some milliseconds."""
EXIT_SECONDS = 10


class BenchError(Exception):
    """A benchmark that cannot be run here; the message says why and what to do."""


@dataclass(frozen=True)
class Contestant:
    """One side of a comparison."""

    builder: str
    """`module:function`; called with `arguments` in a process of its own, it returns the call that is measured."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON."""
    work: float = 1.0
    """What one call gets done: tokens, or FLOPs."""
    our_allocator: bool = True
    """Started with `glam.environment.CPU_ALLOCATOR`, or with none of it whatever this process has."""
    package: str | None = None
    """What must be installed besides glam itself."""
    label: str = ""
    """What it is called where it was chosen among several."""


@dataclass(frozen=True)
class Measurement:
    """What a contestant took."""

    seconds: tuple[float, ...]
    """Of one call, by round."""
    peak_bytes: int
    """The most memory held, above what the imports took."""
    call_bytes: int
    """The most memory held, above what lay there before the first call."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """What calls returned of their own results, such as how right they are; the median of each over the rounds."""

    @property
    def median_seconds(self) -> float:
        return statistics.median(self.seconds)


class Runner:
    """A contestant at work in its process; `with` ends it."""

    def __init__(self, contestant: Contestant):
        self.contestant = contestant
        spec = json.dumps({"builder": contestant.builder, "arguments": dict(contestant.arguments)})
        # -P: a folder where the command is given must not stand in for a library.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "glam.bench.contest", spec],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(our_allocator=contestant.our_allocator),
            text=True,
            start_new_session=True,  # Ctrl-C reaches this process, which ends it
        )

    def wait_until_built(self) -> None:
        self._answer()

    def round(self) -> tuple[float, Mapping[str, float]]:
        """(seconds of one call, the mean of a short round; what the last one found)."""
        answer = self._ask("round")
        return answer["seconds"], answer["facts"]

    def report(self) -> dict[str, Any]:
        """The memory of a `Measurement`."""
        return self._ask("report")

    def _ask(self, question: str) -> dict[str, Any]:
        assert self._process.stdin is not None, "it was opened as a pipe"
        with suppress(BrokenPipeError):  # it has ended; reading its answer says so
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None, "it was opened as a pipe"
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise BenchError(f"{self.contestant.builder} ended with exit code {code}; its last words are above")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None, "it was opened as a pipe"
        assert self._process.stdout is not None, "it was opened as a pipe"
        with suppress(BrokenPipeError):
            self._process.stdin.close()  # the end of its questions is the end of its work
        try:
            self._process.wait(timeout=0 if kind else EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def race(contestants: Mapping[str, Contestant], *, rounds: int) -> dict[str, Measurement]:
    """Runs all of them by turns, A B A B, and measures each. Raises BenchError when one of them fails."""
    with ExitStack() as stack:
        runners = {name: stack.enter_context(Runner(contestant)) for name, contestant in contestants.items()}
        for runner in runners.values():
            runner.wait_until_built()
        for runner in runners.values():
            for _ in range(WARM_UP_ROUNDS):
                if runner.round()[0] >= LONG_ENOUGH_SECONDS:
                    break
        turns: dict[str, list[tuple[float, Mapping[str, float]]]] = {name: [] for name in runners}
        for _ in range(rounds):
            for name, runner in runners.items():
                time.sleep(REST_SECONDS)
                turns[name].append(runner.round())
        return {name: _measurement(turns[name], runner.report()) for name, runner in runners.items()}


def _measurement(turns: Sequence[tuple[float, Mapping[str, float]]], report: Mapping[str, Any]) -> Measurement:
    facts = {name: statistics.median(found[name] for _, found in turns) for name in turns[0][1]}
    return Measurement(tuple(seconds for seconds, _ in turns), **report, facts=facts)


def _environment(*, our_allocator: bool) -> dict[str, str]:
    without = {name: value for name, value in os.environ.items() if name not in CPU_ALLOCATOR}
    return {**without, **CPU_ALLOCATOR} if our_allocator else without
