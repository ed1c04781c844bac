"""The fabricated store, made once: to be read, or as a copy that a test may spoil."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from glam.store import Store
from tests.dashboard.fabricated import RUNNING, fabricate


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """AppTest leaves its script as the main module, which every process spawned by a later test would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


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
