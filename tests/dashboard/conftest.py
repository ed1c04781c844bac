"""The fabricated store, made once: to be read, or as a copy that a test may spoil."""

import os
import shutil
from pathlib import Path

import pytest

from glam.store import Store
from tests.dashboard.fabricated import RUNNING, fabricate


@pytest.fixture(scope="session")
def fabricated(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """To be read only."""
    return fabricate(tmp_path_factory.mktemp("fabricated"))


@pytest.fixture
def root(fabricated: Store) -> Path:
    """Of the store that is to be read only."""
    return fabricated.root


@pytest.fixture
def own_store(fabricated: Store, tmp_path: Path) -> Store:
    """A copy, in which one run goes on."""
    store = Store(shutil.copytree(fabricated.root, tmp_path / "own"))
    running = store.find("runs", RUNNING)
    assert running is not None
    os.utime(running.path / "state.json")
    return store
