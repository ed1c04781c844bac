"""From a checkpoint to scores."""

from glam.evaluation.tasks import TASKS

REVISION = 7
"""Raised when a change alters a score or what is recorded of it."""
LIBRARIES = ("numpy", "tokenizers", "torch")

__all__ = ["LIBRARIES", "REVISION", "TASKS"]
