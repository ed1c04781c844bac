"""From scores and curves to a verdict, by paired statistics."""

REVISION = 4
"""Raised when a change alters a verdict.

2: paired tests with Holm's correction decide on tasks. 3: effective speed-ups with intervals, and scaling fits. 4: the
correction is over all contrasts, and each metric that the paper counts is a cell.
"""
LIBRARIES = ("numpy", "scipy")
