"""What generation keeps of the positions it has seen: keys and values of every layer."""

# B rows, H heads, S positions with room, Q new ones, D head width, L mixture layers, E experts
import torch
from torch import Tensor

from glam.config import ModelConfig


class LayerCache:
    """Keys and values of one layer."""

    def __init__(self, config: ModelConfig, num_rows: int, capacity: int, like: Tensor):
        shape = (num_rows, config.num_heads, capacity, config.head_dim)
        self._keys, self._values = like.new_empty(shape), like.new_empty(shape)
        self.length = 0

    def extend(self, key_BHQD: Tensor, value_BHQD: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values, these included."""
        start, self.length = self.length, self.length + key_BHQD.shape[2]
        self._keys[:, :, start : self.length] = key_BHQD
        self._values[:, :, start : self.length] = value_BHQD
        return self._keys[:, :, : self.length], self._values[:, :, : self.length]

    def fill(self, row: int, other: "LayerCache", place_S: Tensor, length: int) -> None:
        """Gives a row the keys and values at these places of `other`'s one row, as the last of its `length`."""
        start = length - len(place_S)
        for ours, theirs in ((self._keys, other._keys), (self._values, other._values)):
            ours[row, :, :start] = 0  # uninitialised memory may be no number, and zero times it is none
            ours[row, :, start:length] = theirs[0, :, place_S]
        self.length = length

    def select(self, row_B: Tensor) -> None:
        """Each row goes on from the past of another one."""
        self._keys, self._values = self._keys.index_select(0, row_B), self._values.index_select(0, row_B)

    def reorder(self, row_B: Tensor, since: int) -> None:
        """As `select`, of as many rows, which differ from position `since` on only."""
        for stored in (self._keys, self._values):
            new = stored[:, :, since : self.length]
            stored[:, :, since : self.length] = new.index_select(0, row_B)


class Cache:
    """All layers of a batch of rows that end together; shorter ones begin with padding, which nothing sees."""

    def __init__(self, config: ModelConfig, padding_B: Tensor, capacity: int, like: Tensor):
        """`padding_B` counts the padding before each prompt, `like` has the dtype and device of the weights."""
        self.layers = [LayerCache(config, len(padding_B), capacity, like) for _ in range(config.num_layers)]
        self._padding_B = padding_B
        self._any_padding = bool(padding_B.any())
        self.load_LE: Tensor | None = None
        """Choices that reached each expert, by mixture layer, over all ids seen; None for a dense model."""

    @property
    def num_rows(self) -> int:
        """Of the batch."""
        return len(self._padding_B)

    @property
    def length(self) -> int:
        """Positions seen by all layers."""
        return self.layers[0].length

    def positions(self, num_new: int) -> Tensor:
        """[Q] or [B, 1, Q]: where the next `num_new` ids stand in their rows."""
        slot_Q = torch.arange(self.length, self.length + num_new, device=self._padding_B.device)
        return slot_Q if not self._any_padding else (slot_Q - self._padding_B[:, None])[:, None]

    def first(self, num_new: int) -> Tensor | None:
        """[B, Q]: the first position that the next `num_new` ones see; None: the first of all."""
        return self._padding_B[:, None].expand(-1, num_new) if self._any_padding else None

    def count(self, load_LE: Tensor) -> None:
        """Adds what the newest ids chose."""
        self.load_LE = load_LE if self.load_LE is None else self.load_LE + load_LE

    def reorder(self, row_B: Tensor, since: int) -> None:
        """As `select`, of as many rows, where each takes over from one with the same padding and first positions."""
        for layer in self.layers:
            layer.reorder(row_B, since)

    def select(self, row_B: Tensor) -> None:
        """Each row goes on from the past of another one."""
        self._padding_B = self._padding_B[row_B]
        for layer in self.layers:
            layer.select(row_B)
