"""Rows that begin alike, laid out so that what they share is computed once.

A tree is a list of ids in which every id sees those on its own path from the root, and nothing else. Trees stand one
behind the other without padding: only attention looks at one of them at a time.
"""

# T ids of a batch of trees, N those of one tree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

LEAST_SHARED = 8
"""Ids that a row must share with the one before to be laid onto its tree: less is cheaper to compute again than for
both to look at each other's places. Every row shares the first id, the end of the text before."""

MAX_PAIRS, MAX_BIASED_PAIRS = 1 << 22, 1 << 20
"""Of places of a tree. A mask takes a byte for each, a learned bias a number for each and each head."""
MAX_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class Branch:
    """A row on a tree: the first `shared` places of the branch before it, then its own."""

    row: int
    """Its place in the list that was laid out."""
    shared: int
    start: int
    """Where its own ids begin in the tree."""
    length: int
    """Of the whole row."""


@dataclass(frozen=True)
class Tree:
    """Several rows as one; places count from the tree's first id."""

    ids: tuple[int, ...]
    branches: tuple[Branch, ...]

    @cached_property
    def path_of_branches(self) -> list[Tensor]:
        """[length] of each branch: the places of its row's ids."""
        paths: list[Tensor] = []
        for branch in self.branches:
            own = torch.arange(branch.start, branch.start + branch.length - branch.shared)
            paths.append(torch.cat([paths[-1][: branch.shared], own]) if branch.shared else own)
        return paths

    @cached_property
    def depth_N(self) -> Tensor:
        """Where each id stands in its row, int64."""
        return torch.cat([torch.arange(branch.shared, branch.length) for branch in self.branches])

    @cached_property
    def visible_NN(self) -> Tensor | None:
        """[N, N] bool: by query and key; None for a single row, where it is what lies not ahead."""
        if len(self.branches) == 1:
            return None
        size = len(self.ids)
        visible_NN = torch.zeros(size, size, dtype=torch.bool)
        for branch, path in zip(self.branches, self.path_of_branches, strict=True):
            own = slice(branch.start, branch.start + branch.length - branch.shared)
            visible_NN[own, path[: branch.shared]] = True
            visible_NN[own, own] = torch.ones(own.stop - own.start, own.stop - own.start, dtype=torch.bool).tril()
        return visible_NN


def batches(
    rows: Sequence[Sequence[int]], *, biased: bool, max_batch_tokens: int = MAX_BATCH_TOKENS
) -> Iterator[list[Tree]]:
    """Trees that one pass reads: of at most so many ids in all, where a single tree has no more.

    `biased`: attention has a learned bias.
    """
    batch: list[Tree] = []
    size = 0
    for tree in trees(rows, max_pairs=MAX_BIASED_PAIRS if biased else MAX_PAIRS):
        if batch and size + len(tree.ids) > max_batch_tokens:
            yield batch
            batch, size = [], 0
        batch.append(tree)
        size += len(tree.ids)
    if batch:
        yield batch


def trees(rows: Sequence[Sequence[int]], *, max_pairs: int) -> Iterator[Tree]:
    """Lays out rows, none of them empty; of a tree all places after its first row, times all of its places, which is
    what a mask says of them, are at most `max_pairs`. So rows of any length share what they begin with.

    The order of the rows does not matter: they are laid out as a dictionary orders them.
    """
    ids: list[int] = []
    branches: list[Branch] = []
    before: Sequence[int] = ()
    for index in sorted(range(len(rows)), key=lambda index: tuple(rows[index])):
        row = rows[index]
        shared = _num_shared(before, row)
        if branches:
            size = len(ids) + len(row) - shared
            if shared < LEAST_SHARED or (size - branches[0].length) * size > max_pairs:
                yield Tree(tuple(ids), tuple(branches))
                ids, branches = [], []
        if not branches:
            shared = 0
        branches.append(Branch(index, shared, len(ids), len(row)))
        ids += row[shared:]
        before = row
    if branches:
        yield Tree(tuple(ids), tuple(branches))


def _num_shared(first: Sequence[int], second: Sequence[int]) -> int:
    length = min(len(first), len(second))
    return next((place for place in range(length) if first[place] != second[place]), length)
