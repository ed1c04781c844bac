"""What is saved is what is loaded; what does not fit is named."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from glam.model.saved import load_model, save_model
from glam.model.transformer import Transformer
from glam.store import Store
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


@pytest.mark.parametrize("name", ["tokenizer.json", "model.json"])
def test_a_file_of_another_run_is_refused_though_it_is_of_equal_size(
    name: str, model: Transformer, store: Store
) -> None:
    with store.claim("runs", "sparse-s0", "0" * 16) as folder:
        save_model(folder.path, model.config, model.state_dict())
        folder.write_text("tokenizer.json", '{"vocabulary": "ab"}')
        folder.commit(config={}, revision=1)
    load_model(folder.path)
    file = folder.path / name
    content = file.read_text("utf-8")
    file.chmod(0o644)
    file.write_text(content.replace("ab", "ba", 1) if "ab" in content else content.replace("1", "2", 1), "utf-8")
    with pytest.raises(ValueError, match=rf"{name} is not the file that manifest\.json beside it names"):
        load_model(folder.path)


def test_a_folder_that_a_person_put_together_has_no_manifest_to_obey(model: Transformer, tmp_path: Path) -> None:
    save_model(tmp_path, model.config, model.state_dict())
    (tmp_path / "manifest.json").write_text('{"of": "another tool"}', "utf-8")
    assert load_model(tmp_path).config == model.config
