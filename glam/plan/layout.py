"""How a run lies on its devices: the layouts that exist for a model, and which of them `glam train` runs.

`data`, `sharded` and `expert` are those of `glam/training/parallel.py`: experts are shared out inside the data-parallel
group, and what is sharded is cut among all who take rows of their own (the experts among the replicas of their group).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from math import ceil

from glam.config import ModelConfig

MOST_TENSOR, MOST_PIPELINE = 16, 64
"""Tried when a layout is looked for; a person may ask for more."""


@dataclass(frozen=True)
class Layout:
    """Numbers of devices along five axes, the last innermost but for `pipeline`, which is outermost."""

    data: int = 1
    """Copies of the model."""
    sharded: int = 1
    """Devices that each parameter is cut among (FSDP2). With a pipeline: the optimizer's state alone (ZeRO stage 1)."""
    expert: int = 1
    """Devices that share out the experts and exchange tokens."""
    tensor: int = 1
    """Devices that share every matrix."""
    pipeline: int = 1
    """Stages of layers."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) < 1:
                raise ValueError(f"layout: {each.name}={getattr(self, each.name)}; at least 1")

    def __str__(self) -> str:
        named = [f"{each.name}={getattr(self, each.name)}" for each in fields(self) if getattr(self, each.name) > 1]
        return ",".join(named) or "data=1"

    @property
    def num_devices(self) -> int:
        return self.replicas * self.tensor * self.pipeline

    @property
    def replicas(self) -> int:
        """Those that take rows of their own."""
        return self.data * self.sharded * self.expert

    @property
    def is_ours(self) -> bool:
        """Whether axes that glam has suffice."""
        return self.tensor == self.pipeline == 1 and (self.data == 1 or self.sharded == 1)


def parse_layout(text: str) -> Layout:
    """`data=64,expert=16`. Raises ValueError naming the part and the axes there are."""
    axes = [each.name for each in fields(Layout)]
    given: dict[str, int] = {}
    for part in text.split(","):
        name, separator, size = part.partition("=")
        if not separator or name.strip() not in axes or not size.strip().isdigit():
            raise ValueError(f"--layout {text!r}: {part!r} is not AXIS=NUMBER of {', '.join(axes)}")
        given[name.strip()] = int(size)
    return Layout(**given)


def why_not(layout: Layout, model: ModelConfig, rows: int) -> str | None:
    """What keeps a model of a batch of so many rows from lying so; None: nothing."""
    if layout.replicas > rows:
        return f"a batch of {rows:,} rows leaves some of {layout.replicas:,} replicas without one"
    if layout.expert > 1 and (model.num_experts == 1 or model.num_experts % layout.expert):
        return f"expert={layout.expert} does not divide num_experts={model.num_experts}"
    if layout.pipeline > model.num_layers:
        return f"pipeline={layout.pipeline} exceeds num_layers={model.num_layers}"
    for name in ("num_heads", "hidden_dim", "expert_hidden_dim"):
        if getattr(model, name) % layout.tensor:
            return f"tensor={layout.tensor} does not divide {name}={getattr(model, name)}"
    return None


def why_not_runnable(layout: Layout, model: ModelConfig) -> str | None:
    """What `glam train` lacks for a layout that exists; None: it runs it."""
    if layout.tensor > 1 or layout.pipeline > 1:
        return "glam train has no tensor and no pipeline parallelism"
    if layout.data > 1 and layout.sharded > 1:
        return "glam train shards among all workers or none, not within each of several copies"
    if layout.expert > 1 and layout.sharded > 1:
        widths = [width for width in (model.model_dim, model.expert_hidden_dim) if width % layout.sharded]
        if widths:
            return f"experts of width {widths[0]} are not cut evenly among sharded={layout.sharded}"
    return None


def layouts(model: ModelConfig, num_devices: int, rows: int, *, most_tensor: int) -> Iterator[Layout]:
    """Those of exactly so many devices, each axis a divisor; copies or shards, not both."""
    divisors = [size for size in range(1, num_devices + 1) if num_devices % size == 0]
    for pipeline in (size for size in divisors if size <= min(MOST_PIPELINE, model.num_layers)):
        for tensor in (size for size in divisors if size <= min(MOST_TENSOR, most_tensor)):
            if num_devices % (pipeline * tensor):
                continue
            replicas = num_devices // (pipeline * tensor)
            for expert in (size for size in divisors if size <= model.num_experts and replicas % size == 0):
                rest = replicas // expert
                for layout in (
                    Layout(data=rest, expert=expert, tensor=tensor, pipeline=pipeline),
                    Layout(sharded=rest, expert=expert, tensor=tensor, pipeline=pipeline),
                )[: 1 if rest == 1 else 2]:
                    if why_not(layout, model, rows) is None:
                        yield layout


def rows_of_replica(layout: Layout, rows: int) -> int:
    """Of a batch, of the replica that has most."""
    return ceil(rows / layout.replicas)
