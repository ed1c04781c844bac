"""How likely continuations are after their contexts: what contexts share is computed once.

Nothing is padded, and logits are computed only where a continuation is read.
"""

# T ids of a batch of trees, P places whose next id is scored, M model width, V vocabulary, L mixture layers, E experts
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glam.model.prefix_tree import MAX_BATCH_TOKENS, Tree, batches
from glam.model.transformer import Transformer

Request = tuple[Sequence[int], Sequence[int]]
"""Ids of a context and of what continues it; neither is empty."""
MAX_LOGITS = 16_000_000
"""Of one product with the vocabulary: 64 MB in float32."""


@dataclass(frozen=True)
class ContinuationScore:
    """One continuation after its context."""

    log_likelihood: float
    """Nats, summed over its ids."""
    greedy: bool
    """Whether greedy decoding from the context writes it."""


@dataclass(frozen=True)
class Continuations:
    """Scores in the order of the requests, and what computing them took."""

    scores: list[ContinuationScore]
    load_LE: np.ndarray | None
    """Choices that reached each expert, by mixture layer, over the computed ids; None for a dense model."""
    num_computed: int
    """Ids that went through the model; those that requests share count once."""


@torch.inference_mode()
def score_continuations(
    model: Transformer, requests: Sequence[Request], *, max_batch_tokens: int = MAX_BATCH_TOKENS
) -> Continuations:
    """Scores every request; the batch one is in, or its place, does not change its score beyond rounding.

    Nothing is dropped. Raises ValueError for a request without context or continuation, one that is longer than the
    model's rows, or ids outside the vocabulary.
    """
    _check(requests, model)
    # The last id is only predicted.
    rows = [(*context, *continuation[:-1]) for context, continuation in requests]
    nats = np.zeros(len(requests))
    greedy = np.ones(len(requests), dtype=bool)
    load_LE: Tensor | None = None
    num_computed = 0
    was_training = model.training
    model.eval()
    try:
        biased = model.config.positions == "t5_bias"
        for batch in batches(rows, biased=biased, max_batch_tokens=max_batch_tokens):
            x_TM, load = model.read_trees(batch)
            load_LE = load if load_LE is None else load_LE + load if load is not None else None
            num_computed += len(x_TM)
            places, targets, owners = _asked(batch, requests)
            for own, loss_P, best_P in _losses(model, x_TM, places, targets, owners):
                np.add.at(nats, own, loss_P)
                np.logical_and.at(greedy, own, best_P)
    finally:
        model.train(was_training)
    scores = [ContinuationScore(-float(each), bool(best)) for each, best in zip(nats, greedy, strict=True)]
    return Continuations(scores, None if load_LE is None else load_LE.cpu().numpy(), num_computed)


def _asked(batch: Sequence[Tree], requests: Sequence[Request]) -> tuple[Tensor, Tensor, np.ndarray]:
    """[P] places whose next id is scored, those ids, and whose request each is of."""
    places, targets, owners = [], [], []
    start = 0
    for tree in batch:
        for branch, path in zip(tree.branches, tree.path_of_branches, strict=True):
            context, continuation = requests[branch.row]
            places.append(path[len(context) - 1 :] + start)
            targets.extend(continuation)
            owners += [branch.row] * len(continuation)
        start += len(tree.ids)
    return torch.cat(places), torch.tensor(targets), np.array(owners)


def _losses(
    model: Transformer, x_TM: Tensor, places: Tensor, targets: Tensor, owners: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(owners, nats in float64, whether the most likely) of so many places at a time as memory has room for."""
    size = max(1, MAX_LOGITS // model.config.vocab_size)
    for start in range(0, len(places), size):
        piece = slice(start, start + size)
        logits_PV = model.logits(x_TM[places[piece].to(x_TM.device)])
        target_P = targets[piece].to(x_TM.device)
        chosen_P = logits_PV.gather(-1, target_P[:, None]).squeeze(-1)
        loss_P = logits_PV.logsumexp(dim=-1) - chosen_P
        best_P = logits_PV.argmax(dim=-1) == target_P
        yield owners[piece], loss_P.double().cpu().numpy(), best_P.cpu().numpy()


def _check(requests: Sequence[Request], model: Transformer) -> None:
    vocab_size, longest = model.config.vocab_size, model.config.sequence_length
    for index, (context, continuation) in enumerate(requests):
        if not context or not continuation:
            raise ValueError(
                f"request {index} has {len(context)} ids of context and {len(continuation)} of continuation; both need "
                "one: begin a context with end-of-text"
            )
        if len(context) + len(continuation) - 1 > longest:
            raise ValueError(
                f"request {index} has {len(context)} + {len(continuation)} ids; a row of the model reads {longest}, "
                "and the last id is not read"
            )
        low, high = min(*context, *continuation), max(*context, *continuation)
        if low < 0 or high >= vocab_size:
            raise ValueError(f"request {index} holds ids {low} to {high}; the vocabulary has 0 to {vocab_size - 1}")
