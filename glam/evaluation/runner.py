"""One task at one number of shots on one model, whole or in pieces: item scores out, and a result made of them."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

import numpy as np

from glam.config import EvalConfig
from glam.energy.account import total
from glam.energy.entries import energy_fields, energy_of
from glam.evaluation.benchmark import Benchmark
from glam.evaluation.metrics import (
    YES,
    best_constant,
    bits_per_byte,
    chance,
    chosen,
    f1_of_chance,
    f1_of_yes,
    majority,
    margin,
    normalised,
)
from glam.evaluation.prompting import (
    Prompt,
    Tokenizer,
    build_prompt,
    choose_demonstrations,
    harness_demonstrations,
    split_by_length,
    split_choice,
)
from glam.evaluation.questions import Questions, benchmarks_folder, from_documents, from_files
from glam.evaluation.scorer import ChoiceScore, LanguageModel, score_choices, score_texts
from glam.evaluation.task import (
    AskingTask,
    Completion,
    Generation,
    HeldoutLikelihood,
    Item,
    MultipleChoice,
    Task,
    drawn,
)
from glam.records import Document, EvalResult, ItemScore, Scored

HELDOUT_DOCUMENTS_PER_EXAMPLE = 5
"""`heldout` scores at most max_examples times so many documents, the first in drawing order."""


class Window(Protocol):
    """A piece of one held-out document: `sequence_length` + 1 ids at most, every document's tokens predicted once."""

    @property
    def ids(self) -> Sequence[int]: ...
    @property
    def document_id(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def num_bytes(self) -> int:
        """UTF-8 bytes; those of a document's windows sum to the document's."""
        ...


class HeldOut(Protocol):
    """Held-out text, as `glam.data` reads it."""

    def documents(self) -> Sequence[Document]: ...
    def windows(self, sequence_length: int, /) -> Sequence[Window]: ...


class Examination(Protocol):
    """A task at a number of shots, before it is known which model answers."""

    @property
    def num_items(self) -> int: ...

    def score(self, model: LanguageModel, first: int, last: int) -> Scored:
        """Items `first` up to and without `last`. Raises ValueError where the model gives no finite likelihood."""
        ...

    def result(self, scored: Scored) -> EvalResult:
        """Of all items; the value is None where none could be asked."""
        ...


@dataclass(frozen=True)
class Asking:
    """Items that a model chooses, completes or writes the answers of."""

    task: AskingTask
    num_shots: int
    judged: EvalConfig
    questions: Questions
    tokenizer: Tokenizer
    sequence_length: int

    @property
    def num_items(self) -> int:
        return len(self.questions.asked)

    def score(self, model: LanguageModel, first: int, last: int) -> Scored:
        started = time.perf_counter()
        prompts = [self.prompt(place) for place in range(first, last)]
        fitting = [prompt for prompt in prompts if not prompt.excess_tokens]
        load_LE = None
        if not fitting:
            answered: Iterable[ItemScore] = ()
        elif isinstance(self.task, Generation):
            contexts = [prompt.requests[0][0] for prompt in fitting]
            written = model.write(contexts, stop=self.task.stop, max_new_tokens=self.task.max_new_tokens)
            answered = map(partial(_written, self.task), fitting, written.texts)
            load_LE = written.load_LE
        else:
            choices, load_LE = score_choices(fitting, model)
            answered = map(partial(_judged, self.task), fitting, choices)
        scores = iter(answered)
        items = tuple(_not_asked(prompt) if prompt.excess_tokens else next(scores) for prompt in prompts)
        return Scored(items=items, load_LE=_plain(load_LE), seconds=time.perf_counter() - started)

    def prompt(self, place: int) -> Prompt:
        """The item at that place with its demonstrations, as many as fit."""
        harness = self.judged.prompts == "harness"
        return build_prompt(
            self.questions.asked[place],
            self._as_the_harness[place] if harness else self._drawn(self.questions.asked[place]),
            tokenizer=self.tokenizer,
            sequence_length=self.sequence_length,
            max_new_tokens=self.task.max_new_tokens if isinstance(self.task, Generation) else 0,
            split=split_by_length if harness else split_choice,
        )

    def _drawn(self, item: Item) -> list[Item]:
        return choose_demonstrations(item, self.questions.pool, num_shots=self.num_shots, seed=self.judged.seed)

    @cached_property
    def _as_the_harness(self) -> list[list[Item]]:
        source = self.task.source
        return harness_demonstrations(
            self.questions.asked,
            self.questions.pool,
            num_shots=self.num_shots,
            spare=isinstance(source, Benchmark) and source.split == "validation",
        )

    def result(self, scored: Scored) -> EvalResult:
        answered = [score for score in scored.items if score.value is not None]
        ids = {score.item_id for score in answered}
        items = [item for item in self.questions.asked if item.id in ids]
        statements = isinstance(self.task, MultipleChoice) and self.task.metric == "f1a"
        nats = [score.right_nats for score in answered if score.right_nats is not None]
        return EvalResult(
            task=self.task.name,
            num_shots=self.num_shots,
            metric=self.task.metric,
            value=value_of(answered),
            num_examples=len(answered),
            bits_per_byte=bits_per_byte(sum(nats), sum(score.bytes or 0 for score in answered)) if nats else None,
            margin=_mean([score.margin for score in answered if score.margin is not None]),
            chance=f1_of_chance(items) if statements else chance(items),
            majority=f1_of_yes(items) if statements else self._majority(items),
            mean_demonstrations=_mean([len(score.demonstrations) for score in answered]),
            others=_means(answered),
            counted=self._counted,
            num_too_long=len(scored.items) - len(answered),
            seconds=scored.seconds,
            **energy_fields(energy_of(scored)),
        )

    @property
    def _counted(self) -> tuple[str, ...]:
        paper = self.task.paper
        return () if paper is None else tuple(name for name in paper.counted if name != self.task.metric)

    def _majority(self, items: Sequence[Item]) -> float | None:
        if isinstance(self.task, Generation):
            return best_constant(items, self.task.metrics[self.task.metric])
        return majority(items)


@dataclass(frozen=True)
class Reading:
    """Held-out documents that a model reads."""

    task: HeldoutLikelihood
    documents: tuple[tuple[Document, tuple[Window, ...]], ...]

    @classmethod
    def of(cls, task: HeldoutLikelihood, heldout: HeldOut, judged: EvalConfig, *, sequence_length: int) -> "Reading":
        """The first documents in drawing order that have a token to predict."""
        limit = None if judged.max_examples is None else judged.max_examples * HELDOUT_DOCUMENTS_PER_EXAMPLE
        chosen = drawn(heldout.documents(), judged.seed)[:limit]
        windows: dict[str, list[Window]] = {document.id: [] for document in chosen}
        for window in heldout.windows(sequence_length):
            if window.document_id in windows:
                windows[window.document_id].append(window)
        return cls(task, tuple((document, tuple(windows[document.id])) for document in chosen if windows[document.id]))

    @property
    def num_items(self) -> int:
        return len(self.documents)

    def score(self, model: LanguageModel, first: int, last: int) -> Scored:
        started = time.perf_counter()
        piece = self.documents[first:last]
        found, load_LE = score_texts([window.ids for _, windows in piece for window in windows], model)
        nats = iter(found)
        items = tuple(
            ItemScore(
                item_id=document.id,
                cluster=document.unit,
                value=sum(next(nats) for _ in windows),
                weight=sum(len(window.ids) - 1 for window in windows),
                bytes=sum(window.num_bytes for window in windows),
            )
            for document, windows in piece
        )
        return Scored(items=items, load_LE=_plain(load_LE), seconds=time.perf_counter() - started)

    def result(self, scored: Scored) -> EvalResult:
        nats = sum(item.value or 0.0 for item in scored.items)
        return EvalResult(
            task=self.task.name,
            num_shots=0,
            metric=self.task.metric,
            value=value_of(scored.items),
            num_examples=len(scored.items),
            bits_per_byte=bits_per_byte(nats, sum(item.bytes or 0 for item in scored.items)),
            seconds=scored.seconds,
            **energy_fields(energy_of(scored)),
        )


def joined(pieces: Iterable[Scored]) -> Scored:
    """One behind the other."""
    pieces = list(pieces)
    loads = [piece.load_LE for piece in pieces if piece.load_LE is not None]
    return Scored(
        items=tuple(item for piece in pieces for item in piece.items),
        load_LE=_plain(np.sum(loads, axis=0)) if loads else None,
        seconds=sum(piece.seconds for piece in pieces),
        **energy_fields(total(map(energy_of, pieces))),
    )


def examination(
    task: Task,
    *,
    num_shots: int,
    judged: EvalConfig,
    tokenizer: Tokenizer,
    sequence_length: int,
    heldout: HeldOut | None,
) -> Examination:
    """The task as `judged` asks it.

    Raises ValueError for shots before a task that takes none, and for a task without what it asks about: held-out
    text, or the files of a benchmark.
    """
    if num_shots and not task.takes_shots:
        raise ValueError(f"task {task.name!r} takes no demonstrations, but num_shots={num_shots}")
    if not isinstance(task, HeldoutLikelihood) and isinstance(task.source, Benchmark):
        questions = from_files(task, benchmarks_folder(task.name, judged), judged)
        return Asking(task, num_shots, judged, questions, tokenizer, sequence_length)
    if heldout is None:
        raise ValueError(f"task {task.name!r} asks about held-out text, and none belongs to this checkpoint")
    if isinstance(task, HeldoutLikelihood):
        return Reading.of(task, heldout, judged, sequence_length=sequence_length)
    return Asking(
        task, num_shots, judged, from_documents(task, heldout.documents(), judged), tokenizer, sequence_length
    )


def value_of(items: Sequence[ItemScore]) -> float | None:
    """sum(value) / sum(weight) of those that were asked; None where that is nothing."""
    answered = [item for item in items if item.value is not None]
    weight = sum(item.weight for item in answered)
    return sum(item.value or 0.0 for item in answered) / weight if weight else None


def _judged(task: MultipleChoice | Completion, prompt: Prompt, choices: Sequence[ChoiceScore]) -> ItemScore:
    item = prompt.item
    normalise = task.normalise if isinstance(task, MultipleChoice) else "none"
    values = normalised(choices, item.choices, normalise=normalise)
    best = chosen(values)
    value, weight, others = float(best in item.right), 1.0, {}
    if isinstance(task, Completion):
        value = float(choices[item.answer].greedy)
    else:
        others = {
            name: float(chosen(normalised(choices, item.choices, normalise=normalise)) in item.right)
            for name, normalise in task.also.items()
        }
        if task.metric == "f1a":  # 2 TP / (2 TP + FP + FN) as a ratio of sums over statements
            said, true = best == YES, item.answer == YES
            value, weight = 2.0 * (said and true), float(said) + float(true)
    return _answered(
        prompt,
        value=value,
        weight=weight,
        bytes=len(item.choices[item.answer].encode()),
        margin=margin(values, item.right),
        right_nats=-choices[item.answer].log_likelihood,
        others=others,
        log_likelihoods=tuple(score.log_likelihood for score in choices),
        choice_tokens=tuple(score.num_tokens for score in choices),
        chosen=best,
    )


def _written(task: Generation, prompt: Prompt, text: str) -> ItemScore:
    answer = text.strip()
    found = {name: metric(answer, prompt.item.references) for name, metric in task.metrics.items()}
    return _answered(prompt, value=found[task.metric], others=found, generation=answer)


def _answered(prompt: Prompt, **found: object) -> ItemScore:
    item = prompt.item
    return ItemScore.model_validate(
        {
            "item_id": item.id,
            "cluster": item.cluster,
            "demonstrations": prompt.demonstrations,
            "num_dropped_demonstrations": prompt.num_dropped,
            "prompt": prompt.text,
            "prompt_sha256": hashlib.sha256(prompt.text.encode()).hexdigest(),
            "choices": item.choices,
            "right": item.right,
            "references": item.references,
            **found,
        }
    )


def _not_asked(prompt: Prompt) -> ItemScore:
    return _answered(prompt, value=None, excess_tokens=prompt.excess_tokens)


def _means(answered: Sequence[ItemScore]) -> dict[str, float]:
    names = sorted({name for score in answered for name in score.others})
    return {name: sum(score.others[name] for score in answered) / len(answered) for name in names}


def _plain(load_LE: np.ndarray | None) -> tuple[tuple[int, ...], ...] | None:
    return None if load_LE is None else tuple(tuple(int(count) for count in layer) for layer in load_LE)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
