"""Held-out likelihood: how well the model predicts whole documents of units it never saw."""

from glam.evaluation.task import HeldoutLikelihood

HELDOUT = HeldoutLikelihood(name="heldout")
