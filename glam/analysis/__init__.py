"""From scores and curves to a verdict, by paired statistics."""

REVISION = 3
"""Raised when a change alters a verdict; since 2 paired tests with Holm's correction decide on tasks, since 3 a verdict
has effective speed-ups with intervals, and scaling fits."""
LIBRARIES = ("numpy", "scipy")
