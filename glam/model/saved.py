"""A model on disk: plain safetensors beside its configuration. Nothing is unpickled."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor

from glam.config import ModelConfig
from glam.model.transformer import Transformer
from glam.records import Manifest
from glam.store.folder import MANIFEST
from glam.store.identity import file_sha256

WEIGHTS = "model.safetensors"
VOCABULARY = "tokenizer.json"
CONFIG = "model.json"


def save_model(folder: Path, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
    """Writes `model.safetensors` and `model.json` into an existing folder; `weights` as `state_dict()` names them."""
    save_tensors(folder / WEIGHTS, weights)
    (folder / CONFIG).write_text(config.model_dump_json(indent=1) + "\n", "utf-8")


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes a safetensors file, and waits until it is safe: the loop says then that training is done."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    with open(path, "rb") as written:
        os.fsync(written.fileno())


def load_model(folder: Path) -> Transformer:
    """The model of a folder, ready to evaluate.

    Raises ValueError naming weights that do not fit the configuration, and a file that is not the one of the run's
    manifest beside it; of weights only the size is compared.
    """
    _check_together(folder)
    config = ModelConfig.model_validate_json((folder / CONFIG).read_bytes())
    with torch.device("meta"):
        model = Transformer(config)
    weights = load_file(folder / WEIGHTS)
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    wrong = sorted(
        {name for name in {*expected, *weights} if expected.get(name) != getattr(weights.get(name), "shape", None)}
    )
    if wrong:
        raise ValueError(f"{folder / WEIGHTS} does not fit {CONFIG}: {', '.join(wrong[:5])}")
    model.load_state_dict(weights, assign=True)
    return model.eval()


def _check_together(folder: Path) -> None:
    """Whether weights, configuration and vocabulary are those that the run's manifest names; without one, unknown.

    A vocabulary of the same size from another run would give numbers that mean nothing, and no error. Of the weights,
    whose hash takes long, the size.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return  # no run of a store: a folder that a person has put together
    for entry in manifest.files:
        file = folder / entry.name
        if entry.name in (WEIGHTS, CONFIG, VOCABULARY) and (
            not file.is_file()
            or file.stat().st_size != entry.size_bytes
            or (entry.name != WEIGHTS and file_sha256(file) != entry.sha256)
        ):
            raise ValueError(
                f"{file} is not the file that {MANIFEST} beside it names: it was changed, or is another run's, and "
                "does not belong to this model; copy the run's folder anew"
            )
