"""How likely text is under a model: the one place where rows of ids become log-likelihoods."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glam.model.transformer import Transformer


@dataclass(frozen=True)
class TokenScores:
    """Of one row of n ids: entry i speaks of id i + 1, given all before it."""

    nll: np.ndarray
    """[n - 1] float64, negative log-likelihood in nats."""
    greedy: np.ndarray
    """[n - 1] bool: was the id the most likely one?"""


@torch.inference_mode()
def score_rows(model: Transformer, rows: Sequence[Sequence[int]], *, max_batch_tokens: int = 2048) -> list[TokenScores]:
    """Scores rows of unequal length, each of at least two ids, in the order given.

    Rows of like length go together, padded on the right, where causal attention never looks: the batch a
    row is in does not change its scores beyond rounding. Nothing is dropped. Raises ValueError for a row
    that is too short or holds an id outside the vocabulary.
    """
    _check(rows, model.config.vocab_size)
    was_training = model.training
    model.eval()
    scores: dict[int, TokenScores] = {}
    for batch in _batches(rows, max_batch_tokens):
        ids_BS = torch.zeros(len(batch), max(len(rows[index]) for index in batch), dtype=torch.long)
        for place, index in enumerate(batch):
            ids_BS[place, : len(rows[index])] = torch.as_tensor(rows[index])
        nll_BS, greedy_BS = (each.cpu() for each in token_losses(model, ids_BS.to(model.embedding.device)))
        for place, index in enumerate(batch):
            end = len(rows[index]) - 1
            scores[index] = TokenScores(nll_BS[place, :end].double().numpy(), greedy_BS[place, :end].numpy())
    model.train(was_training)
    return [scores[index] for index in range(len(rows))]


def token_losses(model: Transformer, ids_BS: Tensor) -> tuple[Tensor, Tensor]:
    """[B, S-1] cross-entropy of every id but the first in nats, and whether it was the most likely one."""
    logits_BSV = model(ids_BS[:, :-1]).logits_BSV
    target_BS = ids_BS[:, 1:]
    chosen_BS = logits_BSV.gather(-1, target_BS[..., None]).squeeze(-1)
    return logits_BSV.logsumexp(dim=-1) - chosen_BS, logits_BSV.argmax(dim=-1) == target_BS


def _batches(rows: Sequence[Sequence[int]], max_batch_tokens: int) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in sorted(range(len(rows)), key=lambda index: -len(rows[index])):
        if batch and (len(batch) + 1) * len(rows[batch[0]]) > max_batch_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def check_ids(ids: np.ndarray, vocab_size: int) -> None:
    """Raises ValueError when an id is outside the vocabulary; on a GPU that would end in a broken kernel."""
    if ids.size and (ids.min() < 0 or ids.max() >= vocab_size):
        raise ValueError(f"ids {ids.min()} to {ids.max()} are not all in the vocabulary of 0 to {vocab_size - 1}")


def _check(rows: Sequence[Sequence[int]], vocab_size: int) -> None:
    for index, row in enumerate(rows):
        if len(row) < 2:
            raise ValueError(f"row {index} has {len(row)} ids; the first is only context, so two are needed")
        if min(row) < 0 or max(row) >= vocab_size:
            raise ValueError(
                f"row {index} holds ids {min(row)} to {max(row)}; the vocabulary has 0 to {vocab_size - 1}"
            )
