"""One task at one number of shots on one model: items in, a result and its item scores out."""

import time
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from glam.evaluation.metrics import bits_per_byte, chance, majority, margin
from glam.evaluation.names import find_task
from glam.evaluation.prompting import Prompt, Tokenizer, build_prompt, choose_demonstrations
from glam.evaluation.scorer import ChoiceScore, ScoreRows, score_prompts, score_tokens
from glam.evaluation.task import Completion, HeldoutLikelihood, MultipleChoice, drawn
from glam.records import Document, EvalResult, ItemScore

DEMONSTRATION_POOL = 64
"""Items made beyond those asked, to draw demonstrations from."""
HELDOUT_DOCUMENTS_PER_EXAMPLE = 5
"""`heldout` scores at most max_examples times so many documents, the first in drawing order."""
DOCUMENTS_PER_EXAMPLE = 100
"""Other tasks look at no more than max_examples times so many documents."""


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


def run_task(
    task: str,
    *,
    num_shots: int,
    max_examples: int,
    seed: int,
    heldout: HeldOut,
    tokenizer: Tokenizer,
    sequence_length: int,
    score_rows: ScoreRows,
) -> tuple[EvalResult, list[ItemScore]]:
    """The task's value and one score an item; without a usable item the value is None.

    Raises ValueError for an unknown task, for shots before a task that takes none, and where the model gives
    no finite likelihood.
    """
    kind = find_task(task)
    if num_shots and not kind.takes_shots:
        raise ValueError(f"task {task!r} takes no demonstrations, but num_shots={num_shots}")
    started = time.perf_counter()
    if isinstance(kind, HeldoutLikelihood):
        result, scores = _heldout(kind, heldout, max_examples, seed, sequence_length, score_rows)
    else:
        documents = drawn(heldout.documents(), seed)[: max_examples * DOCUMENTS_PER_EXAMPLE]
        pool = list(islice(kind.items(documents, seed), max_examples + DEMONSTRATION_POOL))
        prompts = [
            build_prompt(
                item,
                choose_demonstrations(item, pool, num_shots=num_shots, seed=seed),
                tokenizer=tokenizer,
                sequence_length=sequence_length,
            )
            for item in pool[:max_examples]
        ]
        result, scores = _asked(kind, num_shots, prompts, score_rows)
    return result.model_copy(update={"seconds": time.perf_counter() - started}), scores


def _asked(
    task: MultipleChoice | Completion, num_shots: int, prompts: Sequence[Prompt], score_rows: ScoreRows
) -> tuple[EvalResult, list[ItemScore]]:
    choices = score_prompts(prompts, score_rows)
    scores = [_item_score(task, prompt, each) for prompt, each in zip(prompts, choices, strict=True)]
    items = [prompt.item for prompt in prompts]
    answers = [each[item.answer] for item, each in zip(items, choices, strict=True)]
    result = EvalResult(
        task=task.name,
        num_shots=num_shots,
        metric=task.metric,
        value=_mean([score.value for score in scores]),
        num_examples=len(scores),
        bits_per_byte=bits_per_byte(
            -sum(answer.log_likelihood for answer in answers), sum(score.bytes or 0 for score in scores)
        ),
        chance=chance(items),
        majority=majority(items),
        mean_demonstrations=_mean([len(score.demonstrations) for score in scores]),
    )
    return result, scores


def _item_score(task: MultipleChoice | Completion, prompt: Prompt, choices: Sequence[ChoiceScore]) -> ItemScore:
    item = prompt.item
    if isinstance(task, MultipleChoice):
        lead = margin(choices, item.answer, normalise=task.normalise)
        right = lead > 0
    else:
        lead, right = None, choices[item.answer].greedy
    return ItemScore(
        item_id=item.id,
        cluster=item.cluster,
        value=float(right),
        bytes=len(item.choices[item.answer].encode()),
        margin=lead,
        demonstrations=prompt.demonstrations,
        truncated_tokens=prompt.truncated_tokens,
    )


def _heldout(
    task: HeldoutLikelihood,
    heldout: HeldOut,
    max_examples: int,
    seed: int,
    sequence_length: int,
    score_rows: ScoreRows,
) -> tuple[EvalResult, list[ItemScore]]:
    chosen = drawn(heldout.documents(), seed)[: max_examples * HELDOUT_DOCUMENTS_PER_EXAMPLE]
    windows: dict[str, list[Window]] = {document.id: [] for document in chosen}
    for window in heldout.windows(sequence_length):
        if window.document_id in windows:
            windows[window.document_id].append(window)
    flat = [window for each in windows.values() for window in each]
    nats = iter([float(score.nll.sum()) for score in score_tokens([window.ids for window in flat], score_rows)])
    scores = [
        ItemScore(
            item_id=document.id,
            cluster=document.unit,
            value=sum(next(nats) for _ in windows[document.id]),
            weight=sum(len(window.ids) - 1 for window in windows[document.id]),
            bytes=sum(window.num_bytes for window in windows[document.id]),
        )
        for document in chosen
        if windows[document.id]
    ]
    total_nats, total_tokens = sum(score.value for score in scores), sum(score.weight for score in scores)
    result = EvalResult(
        task=task.name,
        num_shots=0,
        metric=task.metric,
        value=total_nats / total_tokens if total_tokens else None,
        num_examples=len(scores),
        bits_per_byte=bits_per_byte(total_nats, sum(score.bytes or 0 for score in scores)),
    )
    return result, scores


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
