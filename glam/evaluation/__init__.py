"""From a checkpoint to scores."""

REVISION = 1
"""Raised when a change alters a score."""
LIBRARIES = ("numpy", "tokenizers", "torch")
