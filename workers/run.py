"""A run of the training loop, opened from the folders of a store; for whoever drives it."""

from collections.abc import Mapping
from functools import partial

from glam.config import ModelConfig, RunOptions, TrainConfig
from glam.data.heldout import HeldOut
from glam.data.loader import Loader
from glam.data.token_kinds import kind_of_token
from glam.data.tokenizer import END_OF_TEXT_ID, Tokenizer
from glam.store import Folder, Store
from glam.training.loop import Run

STOP = "stop"
"""File in an open run that asks its workers to save and end."""


def open_run(
    store: Store,
    model: ModelConfig,
    config: TrainConfig,
    reads: Mapping[str, str],
    folder: Folder,
    options: RunOptions,
) -> Run:
    """A run over the complete folders of `store` that `reads` names, fingerprint by kind: `shards`, `heldout`,
    `tokenizers`, and `runs` where it continues one.
    """
    shards = store.open("shards", reads["shards"])
    batches = Loader(shards.path, global_batch_size=config.global_batch_size, seed=config.seed)
    heldout = HeldOut(store.open("heldout", reads["heldout"]).path)
    windows = heldout.sample(batches.sequence_length, config.heldout_sequences)
    tokenizer = Tokenizer.load(store.open("tokenizers", reads["tokenizers"]).path)
    origin = store.open("runs", reads["runs"]) if config.continues is not None else None
    return Run(
        folder=folder,
        model=model,
        config=config,
        batches=batches,
        heldout_rows=[window.ids for window in windows],
        heldout_units=[window.unit for window in windows],
        heldout_sources=[window.source for window in windows],
        token_kind=partial(kind_of_token, tokenizer),
        end_of_text=END_OF_TEXT_ID,
        options=options,
        asked_to_stop=(folder.path / STOP).exists,
        origin=origin,
    )
