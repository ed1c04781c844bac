"""What is asked of a trained model that writes text: how fast, at what energy, in how much memory. No torch.

A measurement of a machine, so no score and no verdict depends on it: `workers/inference.py` makes it, `glam.lineage`
names it by the weights, by these settings and by the machine.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from glam.config import Config, ModelConfig
from glam.counting import forward_flops_at

REVISION = 1
"""Raised when the same machine would measure something else."""
LIBRARIES = ("torch",)
RESULT = "inference.json"
"""File of an `InferenceResult` in its folder of the store."""


class InferenceConfig(Config):
    """Greedy generation with the key-value cache, of rows that all read and write as much."""

    batch_sizes: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1, 8, 64)
    prompt_tokens: int = Field(default=32, ge=1)
    new_tokens: int = Field(default=32, ge=2)
    """With one there would be nothing but the reading of the prompt."""
    threads: int = Field(default=1, ge=1)
    use_gpu: bool = False
    """Untested: there was no GPU to try it on."""

    @model_validator(mode="after")
    def rising(self) -> Self:
        if list(self.batch_sizes) != sorted(set(self.batch_sizes)):
            raise ValueError(
                f"batch_sizes={list(self.batch_sizes)} must rise, each once: the memory of a smaller one is measured "
                "before that of a larger one"
            )
        return self

    def check_room(self, model: ModelConfig, name: str) -> None:
        """Raises ValueError where prompt and new tokens do not fit the rows of a model."""
        if self.prompt_tokens + self.new_tokens > model.sequence_length:
            raise ValueError(
                f"{name}: prompt_tokens={self.prompt_tokens} and new_tokens={self.new_tokens} exceed its "
                f"sequence_length={model.sequence_length}; set --prompt-tokens or --new-tokens lower"
            )

    def flops_per_token(self, model: ModelConfig) -> float:
        """Forward FLOPs of a new token, counted: attention goes to the mean number of positions.

        The first new token comes of reading the prompt; the pass that writes token k + 1 attends to prompt_tokens + k.
        """
        return forward_flops_at(model, self.prompt_tokens + self.new_tokens / 2)
