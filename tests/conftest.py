"""What every test shares: no telemetry, a store of its own, one thread."""

import os
from pathlib import Path

import pytest

from glam import environment
from glam.store import Store

environment.apply()
os.environ.pop("GLAM_STORE", None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")
