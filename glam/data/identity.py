"""What determines the text of a source, asked before anything runs; so: fast, no numpy and no torch."""

from glam.config import SourceConfig
from glam.data.sources import source


def source_identity(config: SourceConfig) -> dict[str, object]:
    """JSON facts that determine what the source yields, however many shards it is read in.

    Raises ValueError for a source that does not exist or has no files.
    """
    return {"name": config.name, **source(config.name).identity(config)}
