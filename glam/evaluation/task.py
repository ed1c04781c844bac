"""The kinds of task: what one asks of a model, and how an item becomes a question.

A task is a short file of facts and a few functions of a row (see `tasks/`). Rows come from held-out documents or from
the files of a benchmark; `item` turns one into a question, the same on every machine.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from glam.evaluation.benchmark import Benchmark
from glam.evaluation.paper import Paper
from glam.records import Document

Row = Mapping[str, Any]
"""One example as its source has it; `id` and `cluster` are always there."""
HeldOutRows = Callable[[Sequence[Document], int], Iterable[Row]]
"""(held-out documents, seed) -> rows, in the order of `draw_key`, so that the first n are a fair draw."""
Source = HeldOutRows | Benchmark
Normalise = Literal["tokens", "bytes", "characters", "none"]
"""What a choice's log-likelihood is divided by; bytes and characters without the white space in front."""
Metric = Callable[[str, Sequence[str]], float]
"""(what the model wrote, accepted answers) -> between 0 and 1."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question, without its demonstrations."""

    id: str
    cluster: str
    """What resampling keeps together: a held-out unit, the passage of several questions, the item itself."""
    prompt: str
    """Never ends in white space; that belongs to what follows."""
    choices: tuple[str, ...] = ()
    """Possible continuations of the prompt, white space in front included; a completion has one, the right one.
    Empty where the answer is written freely."""
    contexts: tuple[str, ...] = ()
    """What stands before each choice where that is not `prompt` (partial evaluation, Trinh and Le, 2018)."""
    right: tuple[int, ...] = ()
    """Places of the right choices; more than one where several are accepted."""
    references: tuple[str, ...] = ()
    """Accepted answers of a question that is answered freely."""
    solved: str
    """The item as a demonstration shows it."""
    chance: float | None
    """Probability of a right answer without a model; None: unknown."""
    after_demonstrations: str | None = None
    """The prompt where demonstrations stand before it, if that is another one."""

    def __post_init__(self) -> None:
        for text in (self.prompt, *self.contexts):
            if text != text.rstrip():
                raise ValueError(f"its prompt ends in white space: {text[-20:]!r}")
        for place in self.right:
            if not 0 <= place < len(self.choices):
                raise ValueError(f"answer {place} is none of its {len(self.choices)} choices, which count from 0")
        for place, choice in enumerate(self.choices):
            if not choice.strip():
                raise ValueError(f"choice {place} is empty")
        if self.choices and not self.right:
            raise ValueError("none of its choices is right")
        if not self.choices and not any(each.strip() for each in self.references):
            raise ValueError("it has no accepted answer")

    @property
    def answer(self) -> int:
        """The right choice, the first of several."""
        return self.right[0]

    def context(self, choice: int, *, demonstrations: bool) -> str:
        """What stands before a choice."""
        if self.contexts:
            return self.contexts[choice]
        return self.prompt if self.after_demonstrations is None or not demonstrations else self.after_demonstrations


@dataclass(frozen=True, kw_only=True, eq=False)
class MultipleChoice:
    """Right iff the choice with the highest log-likelihood is a right one; where several have it, the first counts.

    With `metric="f1a"` each item is a statement with the choices no and yes, and the value is the F1 of all yeses.
    """

    name: str
    source: Source
    prompt: Callable[[Row], str]
    choices: Callable[[Row], Sequence[str]]
    answer: str | Callable[[Row], int | Sequence[int]]
    """The field that holds the right choice's place, or what finds it, or them, in a row."""
    choices_in: tuple[str, ...] = ()
    """The field of each choice, or of all of them; none: they are made of no field."""
    contexts: Callable[[Row], Sequence[str]] | None = None
    normalise: Normalise = "tokens"
    """GLaM divides an option's log-likelihood by its token length (arXiv:2112.06905, section 5)."""
    metric: Literal["accuracy", "f1a"] = "accuracy"
    also: Mapping[str, Normalise] = field(
        default_factory=lambda: {"accuracy_per_byte": "bytes", "accuracy_unnormalised": "none"}
    )
    """Further accuracies, by name."""
    paper: Paper | None = None
    takes_shots: ClassVar[bool] = True

    @property
    def scoring(self) -> dict[str, object]:
        """What decides a score besides the items."""
        return {"normalise": self.normalise, "metric": self.metric, "also": dict(self.also)}

    def item(self, row: Row) -> Item:
        """The question of a row. Raises ValueError saying what is wrong with it."""
        choices, answer = tuple(self.choices(row)), self._answer(row)
        for place, choice in enumerate(choices):
            if not choice.strip():
                raise ValueError(f"choice {place} is empty{self._field_of(place)}")
        contexts = () if self.contexts is None else tuple(self.contexts(row))
        right = (answer,) if isinstance(answer, int) else tuple(answer)
        if isinstance(self.answer, str) and not 0 <= right[0] < len(choices):
            raise ValueError(f"field {self.answer!r} is {answer}, none of its {len(choices)} choices, from 0")
        prompt = self.prompt(row)
        known = bool(right) and 0 <= right[0] < len(choices)
        return Item(
            id=row["id"],
            cluster=row["cluster"],
            prompt=prompt,
            choices=choices,
            contexts=contexts,
            right=right,
            solved=(contexts[right[0]] if contexts else prompt) + choices[right[0]] if known else "",
            chance=len(set(right)) / len(choices) if choices else None,
        )

    def _answer(self, row: Row) -> int | Sequence[int]:
        return row[self.answer] if isinstance(self.answer, str) else self.answer(row)

    def _field_of(self, place: int) -> str:
        if not self.choices_in:
            return ""
        return f" (field {self.choices_in[place if len(self.choices_in) > 1 else 0]!r})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Completion:
    """Right iff greedy decoding writes the target, token by token."""

    name: str
    source: Source
    prompt: Callable[[Row], str]
    target: Callable[[Row], str]
    chance: Callable[[Row], float | None] = lambda _: None
    metric: ClassVar[str] = "accuracy"
    paper: Paper | None = None
    takes_shots: ClassVar[bool] = True
    scoring: ClassVar[dict[str, object]] = {"metric": "accuracy"}
    """What decides a score besides the items."""

    def item(self, row: Row) -> Item:
        """The question of a row. Raises ValueError saying what is wrong with it."""
        prompt, target = self.prompt(row), self.target(row)
        return Item(
            id=row["id"],
            cluster=row["cluster"],
            prompt=prompt,
            choices=(target,),
            right=(0,),
            solved=prompt + target,
            chance=self.chance(row),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Generation:
    """The model writes its answer: beam search of width 4 until a stop text (GLaM, section 5)."""

    name: str
    source: Source
    prompt: Callable[[Row], str]
    references: Callable[[Row], Sequence[str]]
    metrics: Mapping[str, Metric]
    """By name, in per cent of nothing: between 0 and 1. The first is the task's value."""
    after_demonstrations: Callable[[Row], str] | None = None
    """The prompt where demonstrations stand before it; None: the same."""
    stop: tuple[str, ...] = ("\n",)
    max_new_tokens: int = 32
    paper: Paper | None = None
    takes_shots: ClassVar[bool] = True

    @property
    def scoring(self) -> dict[str, object]:
        """What decides a score besides the items."""
        return {"metrics": list(self.metrics), "stop": list(self.stop), "max_new_tokens": self.max_new_tokens}

    @property
    def metric(self) -> str:
        """The name of the task's value."""
        return next(iter(self.metrics))

    def item(self, row: Row) -> Item:
        """The question of a row. Raises ValueError saying what is wrong with it."""
        prompt, references = self.prompt(row), tuple(self.references(row))
        later = None if self.after_demonstrations is None else self.after_demonstrations(row)
        shown = prompt if later is None else later
        return Item(
            id=row["id"],
            cluster=row["cluster"],
            prompt=prompt,
            references=references,
            solved=f"{shown} {references[0]}" if references else "",
            chance=None,
            after_demonstrations=later,
        )


@dataclass(frozen=True, kw_only=True)
class HeldoutLikelihood:
    """Cross-entropy of whole documents, in nats per token."""

    name: str
    metric: ClassVar[str] = "cross_entropy"
    paper: ClassVar[Paper | None] = None
    takes_shots: ClassVar[bool] = False
    scoring: ClassVar[dict[str, object]] = {"metric": "cross_entropy"}
    """What decides a score."""


AskingTask = MultipleChoice | Completion | Generation
Task = AskingTask | HeldoutLikelihood


def draw_key(seed: int, *parts: str) -> bytes:
    """A pseudo-random number for `parts`; sorting by it is a draw that no library version changes."""
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).digest()


def drawn(documents: Iterable[Document], seed: int) -> list[Document]:
    """The documents in the order in which they are drawn."""
    return sorted(documents, key=lambda document: draw_key(seed, "document", document.id))
