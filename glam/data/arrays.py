"""Arrays in a folder of the store: whole or absent, and never a pickle."""

import numpy as np
from numpy.typing import NDArray

from glam.store import Folder


def save_array(folder: Folder, name: str, array: NDArray) -> None:
    """Writes `<name>.npy` so that nobody ever sees a part of it; its presence means that it is finished."""
    with folder.create(f"{name}.npy") as out:
        np.save(out, array, allow_pickle=False)


def load_array(folder: Folder, name: str) -> NDArray:
    """The array of `<name>.npy`."""
    return np.load(folder.path / f"{name}.npy", allow_pickle=False)
