"""A preparation that takes a second."""

from pathlib import Path

import pytest

from glam.config import DataConfig, SourceConfig, SplitConfig, TokenizerConfig

WORDS = ("the", "quick", "brown", "fox", "of", "this", "and", "that", "field", "jumps", "over", "lazy", "with", "dogs")


@pytest.fixture
def tiny_data(tmp_path: Path) -> DataConfig:
    for number in range(12):
        words = [WORDS[(number * place + place * place) % len(WORDS)] for place in range(150 + number)]
        text = "\n".join(" ".join(words[start : start + 9]) for start in range(0, len(words), 9))
        (tmp_path / f"{number}.txt").write_text(text)
    return DataConfig(
        source=SourceConfig(name="local_files", paths=(str(tmp_path / "*.txt"),), num_shards=3),
        split=SplitConfig(heldout_fraction=0.2),
        tokenizer=TokenizerConfig(kind="bpe", vocab_size=300),
        sequence_length=32,
    )
