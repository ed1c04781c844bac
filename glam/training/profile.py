"""Where a step's time goes: torch's profiler over a few steps, its trace, and its events added up by part of the step.

An event belongs to the innermost part that is open when it happens; one of the backward pass to the part in which the
forward pass made it, by torch's sequence numbers; what is none of these is `other` (norms, embedding, logits, loss,
clipping, Python).
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.autograd import DeviceType
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, record_function, schedule
from torch.profiler import profile as torch_profile

from glam.model.attention import Attention
from glam.model.experts import Experts, MixtureOfExperts
from glam.model.feed_forward import FeedForward
from glam.records import StepProfile

PROFILE, TRACE = "profile.json", "trace.json.gz"
PARTS = ("attention", "dense", "experts", "routing", "optimizer", "data", "communication", "checkpoint", "other")
MARK = "glam/"
WAIT_STEPS, WARM_UP_STEPS, NUM_STEPS = 2, 1, 4
"""Steps that are left out, those in which the profiler warms up, those that are profiled; then it is over."""
COMMUNICATION = ("c10d::", "gloo:", "nccl:", "record_param_comms")
BACKWARD = "autograd::engine::evaluate_function: "
STEP = "ProfilerStep"


class StepProfiler:
    """Profiles the first steps of this process's training; `with` ends it also where training ends before."""

    def __init__(self, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer):
        self._folder = folder
        self._model = model
        self._optimizer = optimizer
        self._hooks: list[Any] = []
        self._steps_done = 0
        self._on_device = any(parameter.is_cuda for parameter in model.parameters())
        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self._on_device else [])]
        self._profile = torch_profile(
            activities=activities,
            schedule=schedule(wait=WAIT_STEPS, warmup=WARM_UP_STEPS, active=NUM_STEPS, repeat=1),
            on_trace_ready=self._write,
        )

    def part(self, name: str) -> AbstractContextManager[Any]:
        """Around what the loop itself does."""
        return record_function(MARK + name)

    def step_done(self) -> None:
        """After every step, with all that the loop does after it."""
        self._steps_done += 1
        self._profile.step()

    def __enter__(self) -> "StepProfiler":
        for module in self._model.modules():
            if (name := _part_of(module)) is not None:
                self._around(name, module.register_forward_pre_hook, module.register_forward_hook)
        step = self._optimizer
        self._around("optimizer", step.register_step_pre_hook, step.register_step_post_hook)
        self._profile.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._profile.stop()
        for hook in self._hooks:
            hook.remove()

    def _around(self, name: str, before: Callable[..., Any], after: Callable[..., Any]) -> None:
        opened: list[record_function] = []

        def begin(*_: Any) -> None:
            opened.append(record_function(MARK + name).__enter__())

        def end(*_: Any) -> None:
            opened.pop().__exit__(None, None, None)

        self._hooks += [before(begin), after(end)]

    def _write(self, profile: torch_profile) -> None:
        if self._steps_done < WAIT_STEPS + WARM_UP_STEPS + NUM_STEPS:
            return  # training ended before
        profile.export_chrome_trace(str(self._folder / TRACE))
        made = add_up(list(profile.events() or ()), on_device=self._on_device)
        (self._folder / PROFILE).write_text(made.model_dump_json(indent=1) + "\n")


class NoProfiler:
    """Stands where nothing is profiled."""

    def part(self, name: str) -> AbstractContextManager[Any]:  # noqa: ARG002
        return nullcontext()

    def step_done(self) -> None:
        pass


@contextmanager
def profiler(
    wanted: bool, folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Iterator[StepProfiler | NoProfiler]:
    """One that works or one that does nothing."""
    if not wanted:
        yield NoProfiler()
        return
    with StepProfiler(folder, model, optimizer) as working:
        yield working


def add_up(events: list[FunctionEvent], *, on_device: bool) -> StepProfile:
    """Seconds of a step by part: of the processor, or of the device where that computes (untested on GPUs)."""
    # A device's own events repeat what those of the processor that started them say of its time.
    events = [event for event in events if event.device_type == DeviceType.CPU]
    steps = [event for event in events if event.name.startswith(STEP)]
    made_in = {
        event.sequence_nr: part
        for event in events
        if event.sequence_nr >= 0 and (part := _open_part(event)) is not None
    }
    seconds: dict[str, float] = dict.fromkeys(PARTS, 0.0)
    for event in events:
        if on_device:
            seconds[_part(event, made_in)] += event.self_device_time_total / 1e6
        elif _is_within_a_step(event):
            seconds[_part(event, made_in)] += event.self_cpu_time_total / 1e6
    return StepProfile(
        num_steps=len(steps),
        step_seconds=sum(event.cpu_time_total for event in steps) / 1e6 / len(steps),
        part_seconds={part: total / len(steps) for part, total in seconds.items()},
        of="device" if on_device else "processor",
    )


def _part_of(module: nn.Module) -> str | None:
    if isinstance(module, Attention):
        return "attention"
    if isinstance(module, MixtureOfExperts):
        return "routing" if module.config.num_experts > 1 else "dense"
    if isinstance(module, Experts):
        return "experts"
    return "dense" if isinstance(module, FeedForward) else None


def _part(event: FunctionEvent, made_in: dict[int, str]) -> str:
    for each in _and_around(event):
        if each.name.startswith(COMMUNICATION):
            return "communication"
        if each.name.startswith(MARK):
            return each.name.removeprefix(MARK)
        if each.name.startswith(BACKWARD):
            return made_in.get(each.sequence_nr, "other")
    return "other"


def _open_part(event: FunctionEvent) -> str | None:
    open_parts = (each.name.removeprefix(MARK) for each in _and_around(event) if each.name.startswith(MARK))
    return next(open_parts, None)


def _is_within_a_step(event: FunctionEvent) -> bool:
    return any(each.name.startswith(STEP) for each in _and_around(event))


def _and_around(event: FunctionEvent | None) -> Iterator[FunctionEvent]:
    """The event and those within which it happened, from the inside out."""
    while event is not None:
        yield event
        event = event.cpu_parent
