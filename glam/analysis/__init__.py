"""From scores and curves to a verdict, by paired statistics."""

REVISION = 2
"""Raised when a change alters a verdict; since 2 paired tests with Holm's correction decide on tasks."""
LIBRARIES = ("numpy", "scipy")
