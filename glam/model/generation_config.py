"""How text is continued. No torch, so that the command line refuses a wrong choice at once."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from glam.config import Config

StopText = Annotated[str, Field(min_length=1)]


class GenerationConfig(Config):
    """How prompts are continued: greedily (the default), by sampling, or by beam search."""

    max_new_tokens: int = Field(default=32, ge=1)
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Logits are divided by it before sampling; 0 is greedy."""
    top_k: int | None = Field(default=None, ge=1)
    """Sample among the so many most likely ids; None: among all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample among the fewest most likely ids that together have at least this probability (nucleus sampling,
    arXiv:1904.09751), counted after temperature and `top_k`."""
    num_beams: int = Field(default=1, ge=1)
    """Continuations kept at each step; 1: no beam search."""
    length_penalty: float = Field(default=1.0, allow_inf_nan=False)
    """Beams are ranked by sum of log-probabilities / length ** length_penalty, where length counts the new ids and the
    end-of-text among them. 0 ranks by likelihood, 1 by its mean over ids; more favours long continuations. (GNMT,
    arXiv:1609.08144, divides by ((5 + length) / 6) ** penalty, which grows alike.)"""
    stop: tuple[StopText, ...] = ()
    """The continuation ends before the first of these texts."""
    seed: int = Field(default=0, ge=0)
    """With the place of a prompt in the list it decides what is sampled for it."""

    @model_validator(mode="after")
    def one_way_at_a_time(self) -> Self:
        if self.num_beams > 1 and self.temperature > 0:
            raise ValueError(
                f"num_beams={self.num_beams} searches and temperature={self.temperature:g} samples; "
                "set num_beams=1 or temperature=0"
            )
        if self.temperature == 0 and self.top_k is not None:
            raise ValueError(f"top_k={self.top_k} samples, but temperature=0 does not; set a temperature above 0")
        if self.temperature == 0 and self.top_p < 1:
            raise ValueError(f"top_p={self.top_p:g} samples, but temperature=0 does not; set a temperature above 0")
        if self.num_beams == 1 and self.length_penalty != 1:
            raise ValueError(f"length_penalty={self.length_penalty:g} ranks beams, but num_beams=1; set num_beams")
        return self
