"""From a checkpoint to scores."""

from glam.evaluation.tasks import TASKS

REVISION = 6
"""Raised when a change alters a score."""
LIBRARIES = ("numpy", "tokenizers", "torch")

__all__ = ["LIBRARIES", "REVISION", "TASKS"]
