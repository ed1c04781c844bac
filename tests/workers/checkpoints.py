"""A tiny untrained checkpoint whose rows hold every fixture of the benchmarks."""

import json
from pathlib import Path

from glam.config import TokenizerConfig, replace
from glam.data.tokenizer import train_tokenizer
from glam.model.saved import save_model
from glam.model.transformer import Transformer
from glam.variants import VARIANTS

BENCHMARKS = Path(__file__).parents[1] / "evaluation" / "benchmarks"
VOCAB_SIZE = 400


def texts_of_benchmarks() -> list[str]:
    """Every line of the fixtures."""
    files = sorted(BENCHMARKS.glob("*/*.jsonl"))
    return [json.dumps(json.loads(line), ensure_ascii=False) for file in files for line in file.open(encoding="utf-8")]


def tiny_checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Writes weights, configuration and vocabulary; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer, _ = train_tokenizer(texts_of_benchmarks(), TokenizerConfig(kind="bpe", vocab_size=VOCAB_SIZE))
    model = Transformer(
        replace(VARIANTS["toy_4e"], vocab_size=VOCAB_SIZE, sequence_length=8192, positions="rope", num_layers=2)
    )
    model.initialize(seed)
    save_model(folder, model.config, model.state_dict())
    (folder / "tokenizer.json").write_text(tokenizer.to_json(), "utf-8")
    return folder
