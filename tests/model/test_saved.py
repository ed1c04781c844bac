"""What is saved is what is loaded; what does not fit is named."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from glam.model.saved import load_model, save_model
from glam.model.transformer import Transformer
from glam.variants import VARIANTS


@pytest.fixture
def model() -> Transformer:
    made = Transformer(VARIANTS["toy_4e"])
    made.initialize(3)
    return made.eval()


def test_round_trip_is_exact(model: Transformer, tmp_path: Path) -> None:
    save_model(tmp_path, model.config, model.state_dict())
    loaded = load_model(tmp_path)
    assert loaded.config == model.config
    row = torch.tensor([[1, 2, 3]])
    assert torch.equal(loaded(row).logits_BSV, model(row).logits_BSV)


def test_weights_of_another_model_are_refused_by_name(model: Transformer, tmp_path: Path) -> None:
    save_model(tmp_path, model.config, model.state_dict())
    weights = load_file(tmp_path / "model.safetensors")
    del weights["embedding"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"does not fit model\.json: embedding"):
        load_model(tmp_path)
