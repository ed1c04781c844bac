"""The only file that knows ranks: data parallelism over a torch process group, or none.

Every worker holds the whole model and an equal share of each batch; means over shares are means over the
batch because shares are equal and every position counts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class DataParallel:
    """The data-parallel group as one worker sees it."""

    rank: int = 0
    world_size: int = 1

    @classmethod
    def of_process_group(cls) -> Self:
        """The group that is initialised in this process; alone where there is none."""
        if not dist.is_initialized():
            return cls()
        return cls(rank=dist.get_rank(), world_size=dist.get_world_size())

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, global_batch_size: int) -> slice:
        """This worker's rows of a batch. Raises ValueError when the batch cannot be cut evenly."""
        if global_batch_size % self.world_size:
            raise ValueError(
                f"global_batch_size={global_batch_size} cannot be shared evenly by {self.world_size} workers; "
                "choose a number of workers that divides it"
            )
        size = global_batch_size // self.world_size
        return slice(self.rank * size, (self.rank + 1) * size)

    def average_gradients(self, model: nn.Module) -> None:
        """Makes every gradient the mean over workers, in one exchange."""
        if self.world_size > 1:
            self._average([p.grad for p in model.parameters() if p.grad is not None])

    def average(self, values: Tensor) -> Tensor:
        """Mean over workers of a small tensor."""
        if self.world_size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.world_size

    def sum(self, values: Tensor) -> Tensor:
        """Sum over workers of a small tensor."""
        total = values.clone()
        if self.world_size > 1:
            dist.all_reduce(total)
        return total

    def wait(self) -> None:
        """Until every worker is here."""
        if self.world_size > 1:
            dist.barrier()

    def _average(self, tensors: Iterable[Tensor]) -> None:
        tensors = list(tensors)
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.world_size
        offset = 0
        for tensor in tensors:
            tensor.copy_(flat[offset : offset + tensor.numel()].view_as(tensor))
            offset += tensor.numel()
