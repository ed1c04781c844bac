"""Bytes and lines of a file, plain or compressed, a little at a time: whatever it holds, memory stays bounded."""

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

import pyarrow as pa

from glam.data.quarantine import Fault
from glam.data.units import FileKind, SourceFile

MAX_BYTES = 32_000_000
"""A longer file of prose or code, line or record is data that lost its way; it is dropped unread."""
MAX_EXPANSION = 200
"""Bytes out of a byte in, beyond which a compressed file is a bomb. Prose gives 3 to 6, pages of one template tens."""
MIN_BOMB_BYTES = 64_000_000
COMPRESSIONS: dict[FileKind, str] = {"jsonl_gzip": "gzip", "jsonl_zstd": "zstd", "warc_gzip": "gzip"}
BUFFER_BYTES = 1 << 13
"""What a cut costs at most before it: a library that meets the end gives nothing of the piece that it was asked for."""


def opened(file: SourceFile) -> BinaryIO:
    """The file's content, decompressed as it is read; errors of the data are OSErrors without an error number."""
    raw = pa.input_stream(str(file.path), compression=COMPRESSIONS.get(file.kind))
    return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, raw), BUFFER_BYTES))


def max_content_bytes(file: SourceFile) -> int:
    """Decompressed bytes beyond which the file is a bomb."""
    return max(MIN_BOMB_BYTES, MAX_EXPANSION * file.path.stat().st_size)


def lines(file: SourceFile) -> Iterator[bytes | Fault]:
    """Lines without their ends. In place of one that is too long, and of all that cannot be read, a Fault."""
    left = max_content_bytes(file)
    if file.kind in COMPRESSIONS and file.path.stat().st_size == 0:
        yield Fault("truncated", "the file is empty")
        return
    try:
        with opened(file) as stream:
            while line := stream.readline(MAX_BYTES + 1):
                left -= len(line)
                fault = None
                if len(line) > MAX_BYTES:
                    fault = Fault("oversized", f"more than {MAX_BYTES:,} bytes in a line")
                    while left >= 0 and line and not line.endswith(b"\n"):
                        line = stream.readline(BUFFER_BYTES)
                        left -= len(line)
                if left < 0:
                    yield bomb(file)
                    return
                yield fault or line.removesuffix(b"\n")
    except OSError as error:
        yield damage(error)


def bomb(file: SourceFile) -> Fault:
    """The fault of a file out of which more came than `max_content_bytes`."""
    size = file.path.stat().st_size
    return Fault("bomb", f"{size:,} bytes became more than {max_content_bytes(file):,}; what follows was left unread")


def damage(error: Exception) -> Fault:
    """The fault that an error of a decoder stands for. Raises the error where it is the machine's."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error
    cut = ("Truncated", "file size is 0 bytes", "magic bytes not found in footer", "smaller than")
    return Fault("truncated" if any(words in str(error) for words in cut) else "corrupt", str(error).rstrip(".\n"))
