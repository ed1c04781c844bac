"""What GLaM (Du et al., 2022, arXiv:2112.06905, section 5) says of a task, and what we chose where it is silent."""

from dataclasses import dataclass
from typing import Literal

Category = Literal[
    "open-domain question answering",
    "cloze and completion",
    "Winograd-style",
    "common-sense reasoning",
    "in-context reading comprehension",
    "SuperGLUE",
    "natural language inference",
]
Group = Literal["NLG", "NLU"]
"""Whether the answer is generated or chosen."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A row of the paper's table of tasks."""

    title: str
    """What the paper calls it."""
    group: Group
    category: Category
    split: str
    """Of which the paper gives scores."""
    shots: int
    """Of the paper's few-shot scores of GLaM."""
    counted: tuple[str, ...] = ()
    """Metrics that are entries of its averages; none given: the task's own."""
    ours: str
    """What the paper does not say and we chose: wording, stop texts, normalisation."""
