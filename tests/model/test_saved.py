"""What is saved is what is loaded; what does not fit is named."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from glam.model.generation import complete
from glam.model.saved import load_model, save_model
from glam.model.transformer import Transformer
from glam.variants import VARIANTS


@pytest.fixture
def model() -> Transformer:
    made = Transformer(VARIANTS["toy_4e"])
    made.initialize(3)
    return made.eval()


def test_round_trip_is_exact(model: Transformer, tmp_path: Path) -> None:
    save_model(tmp_path, model)
    loaded = load_model(tmp_path)
    assert loaded.config == model.config
    row = torch.tensor([[1, 2, 3]])
    assert torch.equal(loaded(row).logits_BSV, model(row).logits_BSV)


def test_weights_of_another_model_are_refused_by_name(model: Transformer, tmp_path: Path) -> None:
    save_model(tmp_path, model)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["embedding"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"does not fit model\.json: embedding"):
        load_model(tmp_path)


class Letters:
    """A codec of single characters."""

    end_of_text = 0

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, ids: object) -> str:
        return "".join(chr(each) for each in ids)  # type: ignore[union-attr]


def test_completions_are_greedy_bounded_and_repeatable(model: Transformer) -> None:
    prompts = ["abc", "z"]
    texts = complete(model, Letters(), prompts, max_new_tokens=4)
    assert texts == complete(model, Letters(), prompts, max_new_tokens=4)
    assert all(len(text) <= 4 for text in texts)
    first = int(model(torch.tensor([[0, *map(ord, "abc")]])).logits_BSV[0, -1].argmax())
    assert texts[0][:1] == ("" if first == 0 else chr(first))


def test_sampling_depends_on_the_seed_alone(model: Transformer) -> None:
    one, again = (complete(model, Letters(), ["ab"], temperature=1.0, seed=5) for _ in range(2))
    assert one == again
    with pytest.raises(ValueError, match="temperature=-1"):
        complete(model, Letters(), ["ab"], temperature=-1)
