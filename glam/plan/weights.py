"""What of a model lies where: its parameters by the part that layouts cut, and what Adafactor keeps of each."""

from dataclasses import dataclass

from glam.config import ModelConfig
from glam.counting import T5_BUCKETS, count


@dataclass(frozen=True)
class Split:
    """A number for each part of a model."""

    outside: float
    """Embedding, final norm, learned positions."""
    blocks: float
    """All of the blocks but their experts."""
    experts: float

    @property
    def total(self) -> float:
        return self.outside + self.blocks + self.experts


@dataclass(frozen=True)
class Weights:
    """Numbers of elements."""

    params: Split
    factored: Split
    """Adafactor's second moments: a row and a column of each matrix, all of a vector."""
    largest: Split
    """The largest tensor of each part; the experts of a layer are stacked in one."""
    num_mixture_layers: int


def weigh(model: ModelConfig) -> Weights:
    """Of a model as `glam.model` builds it. Experts of which there is one each count among the blocks."""
    width, inner = model.model_dim, model.num_heads * model.head_dim
    mixture = model.num_mixture_layers
    dense = model.num_layers - mixture
    shared_out = model.num_experts > 1
    counts = count(model)
    learned = model.positions == "learned"
    outside = (model.vocab_size + 1 + (model.sequence_length if learned else 0)) * width
    experts = counts.expert_params if shared_out else 0
    params = Split(outside, counts.total_params - outside - experts, experts)

    gates, expert_gates = (3 if model.dense_gated else 2), (3 if model.expert_gated else 2)
    of_experts = mixture * model.num_experts * expert_gates * (width + model.expert_hidden_dim)
    of_blocks = model.num_layers * (4 * (width + inner) + 2 * width) + dense * gates * (width + model.hidden_dim)
    of_blocks += mixture * (width + model.num_experts) if shared_out else of_experts
    of_blocks += model.num_layers * (model.num_heads + T5_BUCKETS) if model.positions == "t5_bias" else 0
    of_outside = model.vocab_size + 2 * width + (model.sequence_length + width if learned else 0)
    factored = Split(of_outside, of_blocks, of_experts if shared_out else 0)

    stacked = model.num_experts * width * model.expert_hidden_dim if mixture else 0
    of_block = max(width * inner, width * model.hidden_dim if dense else 0, 0 if shared_out else stacked)
    largest = Split(model.vocab_size * width, of_block, stacked if shared_out else 0)
    return Weights(params, factored, largest, mixture)
