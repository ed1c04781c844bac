"""From shards to a checkpoint, exact to the bit after any interruption."""

REVISION = 5
"""Raised when a change alters a training run; the golden loss curves are tied to it."""
LIBRARIES = ("numpy", "torch")
