"""Arrays in a folder of the store: whole or absent, and never a pickle."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glam.store import Folder


def save_array(folder: Folder, name: str, array: NDArray) -> None:
    """Writes `<name>.npy` so that nobody ever sees a part of it; its presence means that it is finished."""
    with folder.create(f"{name}.npy") as out:
        np.save(out, array, allow_pickle=False)


def load_array(folder: Folder, name: str, *, mapped: bool = False) -> NDArray:
    """The array of `<name>.npy`; `mapped`: parts are read when they are asked for."""
    path = folder.path / f"{name}.npy"
    return np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)


def write_header(out: BinaryIO, dtype: DTypeLike, count: int) -> None:
    """What a `.npy` file of so many items begins with; the items follow."""
    description = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(out, {"descr": description, "fortran_order": False, "shape": (count,)})


@contextmanager
def mapped_array(folder: Folder, name: str, dtype: DTypeLike, count: int) -> Iterator[NDArray]:
    """An array of zeros to be changed on disk, not in memory; `<name>.npy` is whole when the block ends."""
    with folder.create(f"{name}.npy") as out:
        write_header(out, dtype, count)
        start = out.tell()
        out.flush()
        size = start + count * np.dtype(dtype).itemsize
        if hasattr(os, "posix_fallocate"):  # a full disk is an error here; later it would be the death of the process
            os.posix_fallocate(out.fileno(), 0, size)
        else:
            out.truncate(size)
        # Nothing cannot be mapped.
        yield np.memmap(out, dtype, "r+", start, (count,)) if count else np.empty(0, dtype)
