"""The source `hub`: a data set of the Hugging Face hub, streamed at one commit; nothing of it is run, nothing kept.

The library `datasets` (4 and newer) runs no loading scripts: a data set is files of JSON, Parquet and the like. Tried
against a hub on loopback, not against the real one.
"""

from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from glam.config import HubConfig, SourceConfig
from glam.data.units import HubShard, Unit

# `datasets` and `huggingface_hub` take a second to import, and the fingerprint is asked without them.
if TYPE_CHECKING:
    from datasets import IterableDataset

UNKNOWN_SHARD_BYTES = 256_000_000
"""Text to expect in a shard of a data set whose card does not say."""
SHARE_BYTES = 64_000_000
"""Text for which another shard is opened when `max_megabytes` bounds the whole."""


def identity(config: SourceConfig) -> dict[str, object]:
    """The data set and its commit; no look-up. Raises ValueError where none is given."""
    return {**_hub(config).model_dump(mode="json"), "max_megabytes": config.max_megabytes}


def units(config: SourceConfig) -> list[Unit]:
    """One unit a shard (a file, as a rule). With `max_megabytes`, the beginnings of as many shards as that needs.

    Raises ValueError for a data set, commit, subset or split that does not exist, and for one without `text`.
    """
    hub = _hub(config)
    data = data_set(hub)
    num_shards = data.num_shards
    size = (data.info.dataset_size or UNKNOWN_SHARD_BYTES * num_shards) // num_shards
    num_read, max_bytes = num_shards, None
    if config.max_megabytes is not None:
        total = int(config.max_megabytes * 1e6)
        num_read = min(num_shards, -(-total // SHARE_BYTES))
        max_bytes = total // num_read
    width = len(str(num_shards))
    return [
        Unit(
            name="/".join(filter(None, (hub.id, hub.subset, hub.split, f"{index:0{width}d}"))),
            size_bytes=size if max_bytes is None else min(size, max_bytes),
            parts=(HubShard(hub=hub, index=index, num_shards=num_shards, max_bytes=max_bytes),),
        )
        for index in range(num_read)
    ]


def data_set(hub: HubConfig) -> "IterableDataset":
    """The data set's `text`, to be streamed. Raises ValueError as `units` does."""
    return _texts(hub.id, hub.revision, hub.subset, hub.split)


def opened(hub: HubConfig, *, folder: str | None = None) -> "IterableDataset":
    """All columns of a split, to be streamed; of the files in `folder` alone where it is given.

    Raises ValueError for a data set, commit, subset or split that does not exist.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError

    # With its usual cache, `datasets` would fall back to any commit that was once prepared there.
    with TemporaryDirectory() as empty:
        try:
            return load_dataset(
                f"hf://datasets/{hub.id}",
                hub.subset if folder is None else None,
                data_dir=folder,
                split=hub.split,
                revision=hub.revision,
                streaming=True,
                cache_dir=empty,
            )
        except (DatasetNotFoundError, ValueError) as error:
            raise ValueError(f"{place(hub)}: {error}") from error


def place(hub: HubConfig) -> str:
    """A data set and its commit, in words."""
    return f"data set {hub.id} at {hub.revision}"


def commit_of(dataset_id: str, revision: str) -> str:
    """The hash of the commit that a branch or tag of a data set means now: one look-up on the hub.

    Raises ValueError where there is no such data set or revision, ConnectionError where the hub does not answer.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        commit = HfApi().dataset_info(dataset_id, revision=revision).sha
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ValueError(f"the hub shows us no data set {dataset_id!r} with a revision {revision!r}") from error
    except (HTTPError, OfflineModeIsEnabled) as error:
        raise ConnectionError(f"the hub does not answer: {error}") from error
    assert commit is not None, f"the hub names no commit for {dataset_id} at {revision}"
    return commit


def _hub(config: SourceConfig) -> HubConfig:
    if config.hub is None:
        raise ValueError("source hub needs data.source.hub: id and revision of a data set")
    return config.hub


@cache
def _texts(dataset_id: str, revision: str, subset: str | None, split: str) -> "IterableDataset":
    hub = HubConfig(id=dataset_id, revision=revision, subset=subset, split=split)
    data = opened(hub)
    if data.column_names is not None and "text" not in data.column_names:
        raise ValueError(f"{place(hub)} has no column text; its columns are {', '.join(data.column_names)}")
    return data.select_columns(["text"])
