"""Arrays in a folder of the store: whole or absent, and never a pickle."""

import numpy as np
from numpy.typing import NDArray

from glam.store import Folder


def save_array(folder: Folder, name: str, array: NDArray) -> None:
    """Writes `<name>.npy` so that nobody ever sees a part of it; its presence means that it is finished."""
    with folder.create(f"{name}.npy") as out:
        np.save(out, array, allow_pickle=False)


def load_array(folder: Folder, name: str, *, mapped: bool = False) -> NDArray:
    """The array of `<name>.npy`; `mapped`: parts are read when they are asked for."""
    path = folder.path / f"{name}.npy"
    return np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
