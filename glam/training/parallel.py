"""The only file that knows ranks: how a batch and a model lie on the workers of a process group.

Every worker takes a share of each batch and weighs it by its rows, so a mean over workers is the mean over the batch.
The model lies on them in one of these layouts, the last two together where both are asked for:

- replicated: every worker holds all of it, and gradients are averaged after the backward pass.
- sharded: every parameter is cut among all workers and gathered for the layer that needs it (FSDP2).
- expert parallel: groups of workers share out the experts and exchange tokens; all else is as above.

What is cut is a DTensor, and knows its whole: so checkpoints, means and norms are of whole tensors in every layout.
"""

# R rows sorted by expert, E experts, D workers of an expert group, L = E / D experts of one worker
import math
import os
import socket
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from glam.config import ModelConfig, RunOptions
from glam.model.experts import Compute, Experts
from glam.model.transformer import Transformer

CPU = torch.device("cpu")
LARGE = 1 << 16
"""Elements from which a tensor is worth an exchange of its own."""
REPLICAS, EXPERT_PARALLEL = "replicas", "expert_parallel"


@dataclass(frozen=True)
class ParallelGroup:
    """All workers of a run as one of them sees them; alone by default."""

    rank: int = 0
    world_size: int = 1
    device: torch.device = CPU
    """Where this worker computes."""
    sharded: bool = False
    mesh: DeviceMesh | None = None
    """(replicas, expert_parallel), of this process's group; None: alone."""
    process_group: dist.ProcessGroup | None = None
    """Through which workers speak; None: the one that is initialised in this process."""
    leads_node: bool = True
    """Whether this is the one worker of its node that does what must be done once a node, such as reading its meter."""
    node_gpus: tuple[str, ...] = ()
    """UUIDs, as NVML has them, of the GPUs on which workers of this node compute."""

    @classmethod
    def of_process_group(cls, options: RunOptions | None = None, *, local_rank: int | None = None) -> Self:
        """The group that is initialised in this process, laid out as the options say; alone where there is none.

        `local_rank` numbers the workers of a node from 0. Where it is not given it is LOCAL_RANK, as torchrun sets it;
        without that all workers count as one node's. Raises ValueError where expert groups do not divide the workers.
        """
        options = options or RunOptions()
        device = own_gpu() if options.use_gpu else CPU
        node_gpus = of_node(_uuid(device)) if options.use_gpu else ()
        if not dist.is_initialized():
            return cls(device=device, node_gpus=node_gpus)
        size, together = dist.get_world_size(), options.expert_parallel
        if size % together:
            raise ValueError(f"expert_parallel={together} does not divide {size} workers; choose one that does")
        shape = (size // together, together)
        mesh = init_device_mesh(device.type, shape, mesh_dim_names=(REPLICAS, EXPERT_PARALLEL))
        rank = dist.get_rank()
        if local_rank is None:
            local_rank = int(os.environ.get("LOCAL_RANK", rank))
        return cls(
            rank=rank,
            world_size=size,
            device=device,
            sharded=options.layout == "sharded",
            mesh=mesh,
            leads_node=local_rank == 0,
            node_gpus=node_gpus,
        )

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def expert_parallel(self) -> int:
        """Workers that share out the experts."""
        return 1 if self.mesh is None else self.mesh[EXPERT_PARALLEL].size()

    def share(self, global_batch_size: int) -> slice:
        """This worker's rows of a batch; the first workers have one more where it cannot be cut evenly.

        Raises ValueError when there are more workers than rows.
        """
        if global_batch_size < self.world_size:
            raise ValueError(
                f"global_batch_size={global_batch_size} leaves some of {self.world_size} workers without a row; "
                f"choose at most {global_batch_size} workers"
            )
        size, left = divmod(global_batch_size, self.world_size)
        start = self.rank * size + min(self.rank, left)
        return slice(start, start + size + (self.rank < left))

    def num_pieces(self, global_batch_size: int, micro_batch_size: int | None) -> int:
        """Forward passes of a step, as many on every worker: each needs the others where parameters are cut.

        With uneven shares of few rows a piece may have one row more than was asked for.
        """
        smallest, largest = global_batch_size // self.world_size, -(-global_batch_size // self.world_size)
        return min(-(-largest // (micro_batch_size or largest)), smallest)

    def computes_alone(self, config: ModelConfig) -> bool:
        """Whether a worker's forward pass needs no other worker; else all must make as many of them."""
        return self.world_size == 1 or not (self.sharded or self._shares_experts(config))

    def distribute(self, model: Transformer) -> None:
        """Lays an initialised model out. Raises ValueError where its experts or their width cannot be cut evenly."""
        if self.mesh is None:
            return
        together = self.expert_parallel
        mixtures = [each for each in model.modules() if isinstance(each, Experts)]
        if self._shares_experts(model.config):
            if model.config.num_experts % together:
                raise ValueError(
                    f"expert_parallel={together} does not divide num_experts={model.config.num_experts}; choose one "
                    "that does"
                )
            for experts in mixtures:
                self._share_out(experts)
        if self.sharded:
            everyone = init_device_mesh(self.mesh.device_type, (self.world_size,))
            if self._shares_experts(model.config):
                replicas = self.mesh[REPLICAS]
                for experts in mixtures:
                    _require_even_width(experts, replicas.size())
                    fully_shard(experts, mesh=replicas, shard_placement_fn=lambda _: Shard(1))
                    # Gradients of experts already hold what all workers of their group sent.
                    experts.set_gradient_divide_factor(float(self.world_size))  # pyright: ignore
                    experts.set_force_sum_reduction_for_comms(True)  # pyright: ignore - gloo has no other
            for block in model.blocks:
                fully_shard(block, mesh=everyone)
            fully_shard(model, mesh=everyone)

    def average_gradients(self, model: nn.Module) -> None:
        """Makes every gradient the mean over workers; what is fully sharded was averaged already."""
        if self.world_size == 1 or self.sharded:
            return
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        shared = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
        own = [gradient.to_local() for gradient in gradients if isinstance(gradient, DTensor)]
        _sum_in_place(shared, self.process_group, divide_by=self.world_size)
        if own:
            assert self.mesh is not None, "only a mesh makes DTensors"
            _sum_in_place(own, self.mesh.get_group(REPLICAS), divide_by=self.world_size)

    def clip_gradients(self, model: nn.Module, max_norm: float) -> Tensor:
        """The norm of all gradients before they are scaled down to `max_norm`."""
        parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
        if not any(isinstance(parameter, DTensor) for parameter in parameters):
            return nn.utils.clip_grad_norm_(parameters, max_norm)
        whole, cut = torch.zeros(2, dtype=torch.float64, device=self.device)
        for parameter in parameters:
            gradient = parameter.grad
            if isinstance(gradient, DTensor):
                pieces = math.prod(gradient.device_mesh.shape)
                cut += gradient.to_local().double().square().sum() * pieces / self.world_size
            else:
                assert gradient is not None, "they were chosen so"
                whole += gradient.double().square().sum()
        norm = (whole + self.sum(cut)).sqrt()
        scale = float((max_norm / (norm + 1e-6)).clamp(max=1.0))
        if scale < 1:
            for parameter in parameters:
                assert parameter.grad is not None, "they were chosen so"
                local(parameter.grad).mul_(scale)
        return norm

    def on_first(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Whole tensors in the first worker's memory, gathered one after the other; nothing on the others."""
        found: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            gathered = whole(tensor)
            if self.is_first:
                found[name] = gathered.detach().cpu()
        return found

    def of_first(self, value: int) -> int:
        """What the first worker gave."""
        return int(self.sum(torch.tensor([int(value) if self.is_first else 0])).item())

    def in_background(self) -> Self:
        """The same for a thread beside training, whose exchanges must not meet those of training. Every worker asks."""
        return replace(self, process_group=dist.new_group(backend="gloo")) if self.world_size > 1 else self

    def all_finite(self, tensors: Iterable[Tensor]) -> bool:
        """Whether all numbers of all workers are."""
        bad = sum(int((~torch.isfinite(local(tensor))).sum()) for tensor in tensors)
        return not self.sum(torch.tensor([bad])).item()

    def average(self, values: Tensor) -> Tensor:
        """Mean over workers of a small tensor."""
        return self.sum(values) / self.world_size

    def sum(self, values: Tensor) -> Tensor:
        """Sum over workers of a small tensor."""
        total = values.clone()
        if self.world_size > 1:
            dist.all_reduce(total, group=self.process_group)
        return total

    def wait(self) -> None:
        """Until every worker is here."""
        if self.world_size > 1:
            dist.barrier(self.process_group)

    def _shares_experts(self, config: ModelConfig) -> bool:
        """A dense model has no experts to share out: it is trained in the same layout without."""
        return self.expert_parallel > 1 and config.num_experts > 1

    def _share_out(self, experts: Experts) -> None:
        assert self.mesh is not None, "who calls has asked"
        mesh = self.mesh[EXPERT_PARALLEL]
        experts.exchange = ExpertExchange(mesh.get_group(), mesh.size())
        for name, parameter in list(experts.named_parameters()):
            setattr(experts, name, nn.Parameter(distribute_tensor(parameter.detach(), mesh, [Shard(0)])))


class ExpertExchange:
    """All-to-all within a group of workers that hold L = E / D experts each, in the order of their ranks."""

    def __init__(self, group: dist.ProcessGroup, size: int):
        self._group = group
        self._size = size

    def __call__(self, rows_RM: Tensor, counts_E: Tensor, compute: Compute) -> Tensor:
        """Each expert on the rows that all workers of the group have for it; dropped rows come back as zeros."""
        sent_DL = counts_E.view(self._size, -1)
        received_DL = torch.empty_like(sent_DL)
        dist.all_to_all_single(received_DL, sent_DL.contiguous(), group=self._group)
        sent, received = sent_DL.sum(dim=1).tolist(), received_DL.sum(dim=1).tolist()
        num_rows = sum(sent)
        arrived_RM = _AllToAll.apply(rows_RM[:num_rows], received, sent, self._group)
        # They arrive by sender, each one's sorted by expert; experts want all of theirs together.
        expert_R = torch.arange(received_DL.numel(), device=rows_RM.device).remainder(received_DL.shape[1])
        order_R = expert_R.repeat_interleave(received_DL.flatten()).argsort(stable=True)
        computed_RM = compute(arrived_RM.index_select(0, order_R), received_DL.sum(dim=0))
        back_RM = torch.empty_like(computed_RM).index_copy(0, order_R, computed_RM)
        returned_RM = _AllToAll.apply(back_RM, sent, received, self._group)
        return nn.functional.pad(returned_RM, (0, 0, 0, len(rows_RM) - num_rows))

    def local(self, weight: Tensor) -> Tensor:
        """This worker's experts."""
        return local(weight)


class _AllToAll(torch.autograd.Function):
    """Rows in pieces of the given sizes, one to and one from each worker; the gradient goes the other way."""

    @staticmethod
    def forward(
        context: Any, rows_RM: Tensor, received: list[int], sent: list[int], group: dist.ProcessGroup
    ) -> Tensor:
        context.sizes, context.group = (received, sent), group
        arrived_RM = rows_RM.new_empty(sum(received), rows_RM.shape[1])
        dist.all_to_all_single(arrived_RM, rows_RM.contiguous(), received, sent, group=group)
        return arrived_RM

    @staticmethod
    def backward(context: Any, d_arrived_RM: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        received, sent = context.sizes
        d_rows_RM = d_arrived_RM.new_empty(sum(sent), d_arrived_RM.shape[1])
        dist.all_to_all_single(d_rows_RM, d_arrived_RM.contiguous(), sent, received, group=context.group)
        return d_rows_RM, None, None, None


def own_gpu() -> torch.device:
    """The GPU of this process: of those that it sees the one that LOCAL_RANK names, as torchrun sets it, or the first.

    Raises ValueError where there is none. Untested on GPUs.
    """
    if not torch.cuda.is_available():
        raise ValueError("use_gpu=true, and torch finds no GPU here: leave it away, or install a build of torch for it")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def of_node(own: str) -> tuple[str, ...]:
    """What workers gave who are on this worker's node, as its host name tells, sorted; every worker asks."""
    node = socket.gethostname()
    everyone: list[tuple[str, str]] = [(node, own)]
    if dist.is_initialized():
        everyone *= dist.get_world_size()
        dist.all_gather_object(everyone, (node, own))
    return tuple(sorted({theirs for each, theirs in everyone if each == node}))


def backend(options: RunOptions) -> str:
    """Of the process group: what carries the tensors of each kind of device."""
    return "cpu:gloo,cuda:nccl" if options.use_gpu else "gloo"


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor on every worker; each of them must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local(tensor: Tensor) -> Tensor:
    """What of a tensor lies on this worker, to be read and written."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def complete(sums: Sequence[Tensor], parameters: Sequence[Tensor]) -> None:
    """Makes sums over the rows of a matrix, or over a vector, those of whole parameters, in place.

    Each worker gives what it has summed over its `local` part. Sums of what is whole are complete already; the others
    take one exchange for each group of workers that holds pieces of them.
    """
    partial: dict[dist.ProcessGroup, list[Tensor]] = {}
    for total, parameter in zip(sums, parameters, strict=True):
        if isinstance(parameter, DTensor):
            rows = max(parameter.dim() - 2, 0)
            for dim, placement in enumerate(parameter.placements):
                if placement.is_shard(rows):
                    partial.setdefault(parameter.device_mesh.get_group(dim), []).append(total)
    for group, totals in partial.items():
        _sum_in_place(totals, group)


def ignore_known_warnings() -> None:
    """For the rest of the process, since a checkpoint's thread warns too.

    FSDP2 warns of views among a block's outputs, which only changing them in place would break; nobody does. Saving and
    loading alone is what is meant where there is no process group.
    """
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    warnings.filterwarnings("ignore", message="torch.distributed is disabled", category=UserWarning)


def _uuid(device: torch.device) -> str:
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def _sum_in_place(tensors: Sequence[Tensor], group: dist.ProcessGroup | None, *, divide_by: int = 1) -> None:
    """Sums each of them over a group: large ones where they lie, without a copy of them; all others in one exchange."""
    large = [tensor for tensor in tensors if tensor.numel() >= LARGE and tensor.is_contiguous()]
    under_way = [dist.all_reduce(tensor, group=group, async_op=True) for tensor in large]
    apart = set(map(id, large))
    small = [tensor for tensor in tensors if id(tensor) not in apart]
    if small:
        flat = torch.cat([tensor.flatten() for tensor in small])
        dist.all_reduce(flat, group=group)
        for tensor, total in zip(small, flat.split([tensor.numel() for tensor in small]), strict=True):
            tensor.copy_(total.view_as(tensor))
    for work in under_way:
        assert work is not None, "who asks is of the group"
        work.wait()
    if divide_by > 1:
        for tensor in tensors:
            tensor /= divide_by


def _require_even_width(experts: Experts, num_replicas: int) -> None:
    for weight in experts.parameters():
        if weight.shape[1] % num_replicas:
            raise ValueError(
                f"layout='sharded' cuts experts of {tuple(weight.shape[1:])} among {num_replicas} replicas of their "
                f"group: {weight.shape[1]} is not divisible; choose another number of workers or expert_parallel"
            )
