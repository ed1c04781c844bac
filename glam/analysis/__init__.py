"""From scores and curves to a verdict, by paired statistics."""

REVISION = 1
"""Raised when a change alters a verdict."""
LIBRARIES = ("numpy", "scipy")
