"""Whole rows of a data set of the Hugging Face hub, as benchmarks are fetched: every column, nothing of the hub is run.

Tried against a hub on loopback, not against the real one.
"""

from collections.abc import Iterator
from typing import Any

from glam.config import HubConfig
from glam.data.hub import commit_of, opened, place
from glam.store.errors import is_disk_full

CONVERTED = "refs/convert/parquet"
"""The branch on which the hub keeps Parquet files of data sets that their owners give out as a script."""


def rows(hub: HubConfig) -> Iterator[dict[str, Any]]:
    """Every row of a split in its published order, streamed.

    A subset that the data set's card does not name is looked for in the folder of its name: so it lies on `CONVERTED`.
    Raises ValueError for what does not exist or cannot be read, ConnectionError where the hub does not answer.
    """
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HTTPError

    commit_of(hub.id, hub.revision)  # says at once what `datasets` would find out by many tries
    try:
        yield from _rows(hub)
    except FileNotFoundError as error:  # among them: no file of a known kind
        raise ValueError(f"{place(hub)}: {error}") from error
    except RuntimeError as error:
        if "script" not in str(error):
            raise
        raise ValueError(
            f"{place(hub)}: {error}; a script is not run here: pin it with --revision {CONVERTED}, or another data set"
        ) from error
    except (HTTPError, OSError) as error:
        if is_disk_full(error):
            raise
        raise ConnectionError(f"{place(hub)}: the hub does not answer: {error}") from error
    except DatasetsError as error:
        raise ValueError(f"{place(hub)}: {error}") from error


def _rows(hub: HubConfig) -> Iterator[dict[str, Any]]:
    try:
        data = opened(hub)
    except ValueError:
        if hub.subset is None:
            raise
        try:
            data = opened(hub, folder=hub.subset)
        except (ValueError, FileNotFoundError):
            data = None
        if data is None:
            raise
    yield from data
